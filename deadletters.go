package notify

import (
	"context"
	"errors"
	"fmt"
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

// bury puts an event away, and raises DeadLettered.
func (b *bus) bury(r *runner, m *message.Message, attempts int, class ObserverError, cause error) error {
	wire, err := backend.Wire(m)
	if err != nil {
		return fmt.Errorf("notify: encode a dead letter: %w", err)
	}
	ctx := context.WithoutCancel(r.base)
	letter := backend.DeadLetter{
		Group: r.group(), Topic: eventsTopic, Message: wire, Class: string(class),
		Error: clip(cause.Error(), 512), Attempts: attempts, At: time.Now(),
	}
	id, dropped, err := b.letters.Bury(ctx, letter)
	if err != nil {
		return fmt.Errorf("notify: store a dead letter: %w", err)
	}
	if dropped {
		b.log.Error("notify: the store of dead letters is full, and dropped its oldest")
	}
	b.log.Error("notify: an observer gave up on an event", "observer", r.Name, "event", wire.UUID,
		"class", string(class), "attempts", attempts, "error", cause)
	if eventID, kind, ok := b.aboutEvent(m); ok {
		b.emit(ctx, DeadLettered{
			Observer: r.Name, EventID: eventID, EventType: kind, Class: class, Attempts: attempts, LetterID: id,
		})
	}
	return nil
}

// DeadLetters returns up to limit dead letters of the observer (of all, if it
// is empty), oldest first, after the one whose ID is given.
func (n *Notifier) DeadLetters(ctx context.Context, observer, after string, limit int) ([]DeadLetter, error) {
	group := ""
	if observer != "" {
		group = observerGroup(observer)
	}
	kept, err := n.bus.letters.Letters(ctx, group, after, limit)
	if err != nil {
		return nil, fmt.Errorf("notify: list dead letters: %w", err)
	}
	letters := make([]DeadLetter, len(kept))
	for i, k := range kept {
		letters[i] = DeadLetter{
			ID: k.ID, Observer: k.Group[len(observerGroup("")):], Class: ObserverError(k.Class), Error: k.Error,
			Attempts: k.Attempts, At: k.At,
		}
		if f, err := n.codec.decode(k.Message); err == nil {
			letters[i].Event = Event[any]{Envelope: f.Envelope, Data: f.data}
		} else {
			letters[i].Event = Event[any]{
				Envelope: Envelope{ID: k.Message.UUID, Type: k.Message.Metadata["ce_type"]},
				Data:     Raw(k.Message.Payload),
			}
		}
	}
	return letters, nil
}

// Redrive gives dead letters back to the observer whose they are, and to no
// other: each is handled once more, at once and here, so the observer must be
// registered in this process. With no IDs it takes all of the observer's. It
// returns how many were handled; an error names the first that failed, which
// stays among the dead letters.
func (n *Notifier) Redrive(ctx context.Context, observer string, ids ...string) (int, error) {
	n.bus.mu.Lock()
	r := n.bus.runners[observer]
	n.bus.mu.Unlock()
	if r == nil {
		return 0, fmt.Errorf("notify: redrive: observer %q: %w", observer, ErrNotFound)
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	handled, after := 0, ""
	for {
		letters, err := n.bus.letters.Letters(ctx, r.group(), after, 100)
		if err != nil {
			return handled, fmt.Errorf("notify: redrive: %w", err)
		}
		if len(letters) == 0 {
			break
		}
		for _, letter := range letters {
			after = letter.ID
			if len(ids) > 0 && !wanted[letter.ID] {
				continue
			}
			if err := ctx.Err(); err != nil {
				return handled, err
			}
			if err := r.redrive(letter); err != nil {
				return handled, fmt.Errorf("notify: redrive %s: %w", letter.ID, err)
			}
			if err := n.bus.letters.Unbury(ctx, letter.ID); err != nil && !errors.Is(err, backend.ErrNotFound) {
				return handled, fmt.Errorf("notify: redrive %s: %w", letter.ID, err)
			}
			delete(wanted, letter.ID)
			handled++
		}
	}
	if len(wanted) > 0 && len(ids) > 0 {
		return handled, fmt.Errorf("notify: redrive: %d of the dead letters: %w", len(wanted), ErrNotFound)
	}
	return handled, nil
}

// redrive handles one dead letter.
func (r *runner) redrive(letter backend.DeadLetter) error {
	d := r.delivery()
	began := time.Now()
	done, matched, err := r.run(d, backend.NewBatch(1, letter.Message))
	r.stats.handled(matched, began, err != nil)
	r.release(d)
	if err == nil && done == 0 {
		return context.DeadlineExceeded
	}
	return err
}
