package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// DeadLetter is an event that an observer could not handle.
type DeadLetter struct {
	// ID names the dead letter.
	ID       string
	Observer string
	// Event is what was not handled; its Data is [Raw] and its envelope empty
	// but for what could be read if it could not be decoded.
	Event Event[any]
	Class ObserverError
	// Error is the error's text, at most 512 bytes of it; for a panic only the
	// type of its value.
	Error    string
	Attempts int
	At       time.Time
}

// observerFailed and skipped raise events about the machinery, which breed no
// more of their kind.
func (b *bus) observerFailed(name string, m *message.Message, class ObserverError) {
	if id, kind, ok := aboutEvent(m); ok {
		b.emit(context.Background(), ObserverFailed{Observer: name, EventID: id, EventType: kind, Class: class})
	}
}

func (b *bus) skipped(name string, from, to int64) {
	b.log.Warn("notify: an observer fell too far behind, and was moved forward", "observer", name, "from", from, "to", to)
	b.emit(context.Background(), ObserverSkipped{Observer: name, From: from, To: to})
}

// aboutEvent names the event of a message; ok is false if it is one about
// observers itself.
func aboutEvent(m *message.Message) (id, kind string, ok bool) {
	if f, isLocal := m.Context().(*fact); isLocal {
		id, kind = f.ID, f.Type
	} else {
		id, kind = m.Metadata[attrID], m.Metadata[attrType]
	}
	switch kind {
	case "notify.observer_failed.v1", "notify.observer_skipped.v1", "notify.dead_lettered.v1":
		return id, kind, false
	}
	return id, kind, true
}

// bury puts an event away, and raises DeadLettered.
func (b *bus) bury(r *runner, m *message.Message, attempts int, class ObserverError, cause error) error {
	wire, err := backend.Wire(m)
	if err != nil {
		// An event that has no form on a wire would come again for ever. Its
		// letter says which one it was.
		id, kind, _ := aboutEvent(m)
		wire = message.NewMessage(id, nil)
		wire.Metadata = message.Metadata{attrID: id, attrType: kind, backend.KeyMetadata: backend.Key(m)}
		b.log.Error("notify: a dead letter is without its event", "observer", r.Name, "event", id, "error", err)
	}
	ctx := context.WithoutCancel(r.base)
	text := clip(fmt.Sprint(cause), maxLetterError) // the host's Error may panic, which fmt outlives
	id, dropped, err := b.letters.Bury(ctx, backend.DeadLetter{
		Group: r.group(), Topic: eventsTopic, Message: wire, Class: string(class),
		Error: text, Attempts: attempts, At: time.Now(),
	})
	if err != nil {
		return fmt.Errorf("notify: store a dead letter: %w", err)
	}
	if dropped {
		b.log.Error("notify: the store of dead letters is full, and dropped its oldest")
	}
	b.log.Error("notify: an observer gave up on an event", "observer", r.Name, "event", wire.UUID,
		"class", string(class), "attempts", attempts, "error", text)
	if eventID, kind, ok := aboutEvent(m); ok {
		b.emit(ctx, DeadLettered{
			Observer: r.Name, EventID: eventID, EventType: kind, Class: class, Attempts: attempts, LetterID: id,
		})
	}
	return nil
}

// maxLetterError bounds the text of DeadLetter.Error, in bytes.
const maxLetterError = 512

// DeadLetters returns up to limit dead letters (100 if it is not positive) of
// the observer (of all, if it is empty), oldest first, after the one whose ID
// is given. Those under the [Observer.FormerName] of an observer that is
// registered here are listed as its own.
func (n *Notifier) DeadLetters(ctx context.Context, observer, after string, limit int) ([]DeadLetter, error) {
	if limit <= 0 {
		limit = lettersPage
	}
	kept, err := n.bus.lettersOf(ctx, observer, after, limit)
	if err != nil {
		return nil, fmt.Errorf("notify: list dead letters: %w", translate(err))
	}
	renamed := n.bus.renamed()
	letters := make([]DeadLetter, len(kept))
	for i, k := range kept {
		letters[i] = DeadLetter{
			ID: k.ID, Observer: strings.TrimPrefix(k.Group, observerGroup("")), Class: ObserverError(k.Class),
			Error: k.Error, Attempts: k.Attempts, At: k.At,
		}
		if name, ok := renamed[letters[i].Observer]; ok {
			letters[i].Observer = name
		}
		if letters[i].Event, err = n.Decode(k.Message); err != nil {
			letters[i].Event = Event[any]{
				Envelope: Envelope{ID: k.Message.UUID, Type: k.Message.Metadata[attrType]},
				Data:     Raw(k.Message.Payload),
			}
		}
	}
	return letters, nil
}

const lettersPage = 100

// renamed has the names of observers by their former ones, as far as these are
// not in use again.
func (b *bus) renamed() map[string]string {
	names := map[string]string{}
	all := b.all()
	for _, r := range all {
		if r.FormerName != "" {
			names[r.FormerName] = r.Name
		}
	}
	for _, r := range all {
		delete(names, r.Name)
	}
	return names
}

// letterGroups are the groups under which the observer's dead letters are, the
// oldest first.
func (b *bus) letterGroups(observer string) []string {
	groups := []string{observerGroup(observer)}
	for former, name := range b.renamed() {
		if name == observer {
			groups = append([]string{observerGroup(former)}, groups...)
		}
	}
	return groups
}

// lettersOf lists the observer's dead letters, or, if it is empty, all.
func (b *bus) lettersOf(ctx context.Context, observer, after string, limit int) ([]backend.DeadLetter, error) {
	if observer == "" {
		return b.letters.Letters(ctx, "", after, limit)
	}
	groups := b.letterGroups(observer)
	if len(groups) > 1 {
		former, err := b.letters.Letters(ctx, groups[0], "", 1)
		if err != nil {
			return nil, err
		}
		if len(former) == 0 {
			groups = groups[1:]
		}
	}
	if len(groups) == 1 {
		return b.letters.Letters(ctx, groups[0], after, limit)
	}
	// Only the store knows the order of letters of two groups.
	var found []backend.DeadLetter
	for {
		page, err := b.letters.Letters(ctx, "", after, lettersPage)
		if err != nil || len(page) == 0 {
			return found, err
		}
		for _, letter := range page {
			after = letter.ID
			if slices.Contains(groups, letter.Group) {
				if found = append(found, letter); len(found) == limit {
					return found, nil
				}
			}
		}
	}
}

// Redrive gives dead letters back to the observer whose they are, and to no
// other: each is handled once more, at once and here, whatever the observer is
// at, so it must be registered in this process. With no IDs it takes all of the
// observer's, those of its FormerName too. It returns how many were handled; an
// error names the first that failed, which stays among the dead letters, and
// those after it. The error wraps [ErrNotFound] if the observer is not
// registered here, or, once the others are handled, if an ID is no dead letter
// of its. The handlers' context ends with ctx.
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
		began: r.bus.now(), timed: true,
	}
	t.clock(t.began)
	r.stats.inFlight.Add(1)
	defer func() {
		r.stats.inFlight.Add(-1)
		t.count(r.bus.now(), t.handling)
		t.delivery.end()
	}()
	return t.run()
}
