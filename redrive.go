package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// Redrive gives dead letters back to the observer whose they are, and to no
// other: each is handled once more, at once and in this process, whatever the
// observer's position is, so the observer must be registered here. With no IDs
// it takes all of the observer's, those of its FormerName too. It returns how
// many were handled; an error names the first that failed, which stays among
// the dead letters, and those after it. The error wraps [ErrNotFound] if the
// observer is not registered here, or, once the others are handled, if an ID is
// no dead letter of its. The handlers' context ends with ctx.
func (n *Notifier) Redrive(ctx context.Context, observer string, ids ...string) (int, error) {
	r := n.bus.find(observer)
	if r == nil {
		return 0, fmt.Errorf("notify: redrive: observer %q is not registered in this process: %w", observer, ErrNotFound)
	}
	d := redrive{runner: r, letters: n.bus.letters, all: len(ids) == 0, wanted: map[string]bool{}}
	for _, id := range ids {
		d.wanted[id] = true
	}
	for _, group := range n.bus.letterGroups(observer) {
		if err := d.group(ctx, group); err != nil {
			return d.handled, fmt.Errorf("notify: redrive: %w", err)
		}
	}
	if len(d.wanted) > 0 {
		missing := slices.Sorted(maps.Keys(d.wanted))
		return d.handled, fmt.Errorf("notify: redrive: %d of the IDs are no dead letters of observer %q, the first is %q: %w",
			len(missing), observer, missing[0], ErrNotFound)
	}
	return d.handled, nil
}

// redrive is one call of Redrive.
type redrive struct {
	runner  *runner
	letters backend.DeadLetters
	all     bool
	wanted  map[string]bool // what was asked for and not found yet
	handled int
}

// group goes through a group's letters.
func (d *redrive) group(ctx context.Context, group string) error {
	for after := ""; d.all || len(d.wanted) > 0; {
		letters, err := d.letters.Letters(ctx, group, after, lettersPage)
		if err != nil || len(letters) == 0 {
			return translate(err)
		}
		for _, letter := range letters {
			after = letter.ID
			if !d.all && !d.wanted[letter.ID] {
				continue
			}
			if err := d.one(ctx, letter); err != nil {
				return fmt.Errorf("dead letter %s: %w", letter.ID, err)
			}
			delete(d.wanted, letter.ID)
			d.handled++
		}
	}
	return nil
}

func (d *redrive) one(ctx context.Context, letter backend.DeadLetter) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.runner.redrive(ctx, letter.Message); err != nil {
		return err
	}
	if err := d.letters.Unbury(ctx, letter.ID); err != nil && !errors.Is(err, backend.ErrNotFound) {
		return translate(err)
	}
	return nil
}

// redrive handles one event here.
func (r *runner) redrive(ctx context.Context, m *message.Message) error {
	parent, cancel := context.WithCancel(r.base)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	t := round{
		runner: r, batch: backend.NewBatch(1, m), delivery: &delivery{runner: r, parent: parent},
		began: r.bus.now(), timed: true, failing: r.failing.any.Load(), hooks: r.bus.hooks.Load(),
	}
	t.clock(t.began)
	r.stats.inFlight.Add(1)
	defer func() {
		r.stats.inFlight.Add(-1)
		t.count(r.bus.now(), t.handling)
		t.succeeded()
		t.delivery.end()
	}()
	return t.run()
}
