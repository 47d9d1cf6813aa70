package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/seed-6c01d079/notify/backend"
)

// Handled waits until each of the observers has handled every event of the
// notification that is known when it is called: a view that an observer keeps
// shows it then. It returns nil once all have; an error that wraps
// [ErrDeadLetter] names the first that gave up on one of them, as long as that
// is among the dead letters.
//
// It goes by the observers' positions in the log: an observer that is behind, or
// that retries an event of another notification, is waited for, so give ctx a
// deadline. If ctx ends first, the error wraps ctx's and names the observers
// that had not. An observer may run in another process. The error wraps
// [ErrNotFound] if the notification is not known, or the backend knows no
// observer of a name; [ErrUnsupported] if the backend has no positions
// ([backend.Positioner]), or an observer's handler waits for its own observer,
// which it would hold up itself.
func (n *Notifier) Handled(ctx context.Context, id string, observers ...string) error {
	if len(observers) == 0 {
		return &FieldError{Field: "Handled", Problem: "needs the name of an observer at least"}
	}
	if n.bus.positions == nil {
		return fmt.Errorf("notify: handled: %w: %T is no backend.Positioner", ErrUnsupported, n.config.Backend)
	}
	if d, cause := causeOf(ctx); cause != nil {
		for _, name := range observers {
			if name == d.runner.Name {
				return fmt.Errorf("notify: handled: %w: observer %q would wait for itself", ErrUnsupported, name)
			}
		}
	}
	if err := n.publishKnown(ctx, id); err != nil {
		return err
	}
	errs := make([]error, len(observers))
	var wg sync.WaitGroup
	for i, name := range observers {
		wg.Go(func() { errs[i] = n.handledBy(ctx, id, name) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// publishKnown sees to it that the notification's events are in the log.
func (n *Notifier) publishKnown(ctx context.Context, id string) error {
	if n.ledger.carried != nil {
		return nil // a step publishes them before it passes the work on
	}
	if err := n.follow(ctx, id, func(*record) bool { return false }); err != nil {
		return err
	}
	s, err := n.known(ctx, id)
	if err != nil {
		return unknown(id, err)
	}
	_, err = n.ledger.flush(ctx, s)
	return translate(err)
}

func (n *Notifier) handledBy(ctx context.Context, id, observer string) error {
	if err := n.bus.caughtUp(ctx, observer); err != nil {
		if errors.Is(err, backend.ErrNotFound) {
			return fmt.Errorf("notify: handled: the backend knows no observer %q, which it does once a Notifier with it has run: %w", observer, ErrNotFound)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("notify: handled: observer %q has not yet: %w", observer, err)
		}
		return fmt.Errorf("notify: handled: %w", translate(err))
	}
	for _, group := range n.bus.letterGroups(observer) {
		for after := ""; ; {
			letters, err := n.bus.letters.Letters(ctx, group, after, lettersPage)
			if err != nil {
				return fmt.Errorf("notify: handled: look for dead letters: %w", translate(err))
			}
			if len(letters) == 0 {
				break
			}
			for _, letter := range letters {
				after = letter.ID
				if backend.Key(letter.Message) == id {
					return fmt.Errorf("notify: handled: observer %q gave up on the event %s: %w: %s", observer, letter.Message.UUID, ErrDeadLetter, letter.ID)
				}
			}
		}
	}
	return nil
}

// caughtUp waits until the observer has handled what was raised.
func (b *bus) caughtUp(ctx context.Context, observer string) error {
	err := b.positions.CatchUp(ctx, eventsTopic, observerGroup(observer))
	if r := b.find(observer); r != nil && r.FormerName != "" && errors.Is(err, backend.ErrNotFound) {
		// Its position may not have been taken over yet.
		err = b.positions.CatchUp(ctx, eventsTopic, observerGroup(r.FormerName))
	}
	return err
}
