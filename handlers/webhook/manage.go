package webhook

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/seed-6c01d079/notify/topology"
)

// Put stores an endpoint, new or changed, and reports each of its problems as a
// [notify.FieldError]. A changed endpoint keeps what waits for it, and whether it
// is disabled.
func (s *Sender) Put(ctx context.Context, e Endpoint) error {
	if err := e.check(s.network, s.isKnown); err != nil {
		return err
	}
	if err := s.store.Put(ctx, e.clone()); err != nil {
		return err
	}
	s.wake()
	return nil
}

var ownType = regexp.MustCompile(`^notify\.[a-z_]+\.v[0-9]+$`)

// isKnown tells whether a type of notify's own is known to the Notifier, or could be
// before there is one.
func (s *Sender) isKnown(eventType string) bool {
	n := s.notifier.Load()
	if n == nil {
		return ownType.MatchString(eventType)
	}
	return slices.ContainsFunc(n.Topology().Events, func(e topology.Event) bool { return e.Type == eventType })
}

// Get returns an endpoint, or an error that wraps [notify.ErrNotFound], as do
// the other methods that name one.
func (s *Sender) Get(ctx context.Context, id string) (Status, error) { return s.store.Get(ctx, id) }

// List returns endpoints, page by page, ordered by their ID.
func (s *Sender) List(ctx context.Context, q Query) (Page, error) { return s.store.List(ctx, q) }

// Delete removes an endpoint, with what waits for it and its ledger. A call that
// is under way goes on.
func (s *Sender) Delete(ctx context.Context, id string) error { return s.store.Delete(ctx, id) }

// Disable stops sending to an endpoint, with [DisabledByHost]. What waits for it
// stays; what comes from then on does not wait for it, and can be replayed. It
// raises no event.
func (s *Sender) Disable(ctx context.Context, id string) error {
	return s.store.Switch(ctx, id, DisabledByHost, time.Now())
}

// Enable goes on sending to an endpoint that was disabled, for whatever reason,
// with what waits for it. What came meanwhile can be had by Replay, from a minute
// before its DisabledAt: what was on its way to the store then has an earlier time.
func (s *Sender) Enable(ctx context.Context, id string) error {
	if err := s.store.Switch(ctx, id, "", time.Now()); err != nil {
		return err
	}
	s.wake()
	return nil
}

// Replay sends an endpoint again what came at from or later and that it wants, as
// far as the store still has it, with the same webhook-ids: also what it was
// sent before, and what came before the endpoint was made. It returns how many
// messages that are; if there was not room for all, rest is where to go on when
// these are through.
func (s *Sender) Replay(ctx context.Context, id string, from time.Time) (messages int, rest time.Time, err error) {
	messages, rest, err = s.store.Replay(ctx, id, from)
	if messages > 0 {
		s.wake()
	}
	return messages, rest, err
}

// Attempts returns a part of an endpoint's ledger, the newest first.
func (s *Sender) Attempts(ctx context.Context, q AttemptQuery) (AttemptPage, error) {
	return s.store.Attempts(ctx, q)
}
