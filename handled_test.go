package notify_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// view is what an observer keeps, slowly.
type view struct {
	takes   time.Duration
	fails   atomic.Bool
	settled atomic.Int64
}

func (v *view) observe(_ context.Context, e notify.Event[notify.Settled]) error {
	time.Sleep(v.takes)
	if v.fails.Load() {
		return notify.Permanent(errHandler)
	}
	v.settled.Add(1)
	return nil
}

// Who waits for a view sees in it what was written before.
func TestHandled(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		slow, fast := &view{takes: time.Minute}, &view{}
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		notify.On(b.Notifier, "slow", slow.observe, func(o *notify.Observer) { o.Timeout = -1 })
		notify.On(b.Notifier, "fast", fast.observe)
		for n := range int64(3) {
			id := b.Send(toAnna(notify.EmailChannel))
			b.Until(id, notify.Settled{})
			require.Equal(t, n, slow.settled.Load(), "it lags")
			require.NoError(t, b.Notifier.Handled(t.Context(), id, "slow", "fast"))
			require.Equal(t, n+1, slow.settled.Load())
			require.Equal(t, n+1, fast.settled.Load())
		}
	})
}

func TestHandledSaysWhoGaveUp(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		v, other := &view{}, &view{}
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		notify.On(b.Notifier, "view", v.observe)
		notify.On(b.Notifier, "other", other.observe)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		v.fails.Store(true)
		dead := b.Send(toAnna(notify.EmailChannel))
		b.Settle(dead)
		err := b.Notifier.Handled(t.Context(), dead, "other", "view")
		require.ErrorIs(t, err, notify.ErrDeadLetter)
		require.ErrorContains(t, err, `observer "view" gave up on`)
		require.NoError(t, b.Notifier.Handled(t.Context(), dead, "other"))
		require.NoError(t, b.Notifier.Handled(t.Context(), id, "view"), "of another notification")
		v.fails.Store(false)
		_, err = b.Notifier.Redrive(t.Context(), "view")
		require.NoError(t, err)
		require.NoError(t, b.Notifier.Handled(t.Context(), dead, "view"))
	})
}

func TestHandledWhereItCannotBeKnown(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		var inside error
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		notify.On(b.Notifier, "selfish", func(ctx context.Context, e notify.Event[notify.Settled]) error {
			inside = b.Notifier.Handled(ctx, e.NotificationID, "selfish")
			return nil
		})
		stuck := make(chan struct{})
		notify.On(b.Notifier, "stuck", func(context.Context, notify.Event[notify.Sent]) error { <-stuck; return nil })
		defer close(stuck)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Until(id, notify.Settled{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := b.Notifier.Handled(ctx, id, "selfish", "stuck")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, `observer "stuck" has not yet`)
		require.ErrorIs(t, inside, notify.ErrUnsupported)
		require.ErrorContains(t, inside, "wait for itself")
		require.ErrorIs(t, b.Notifier.Handled(t.Context(), id, "nobody"), notify.ErrNotFound)
		require.ErrorIs(t, b.Notifier.Handled(t.Context(), "n_0", "selfish"), notify.ErrNotFound)
		require.Len(t, notify.FieldErrors(b.Notifier.Handled(t.Context(), id)), 1)
	})
}

var errCut = errors.New("cut")

// cutting is a backend apart from its records that does not publish events for
// now.
type cutting struct {
	backend.Backend
	backend.Consumer
	backend.Positioner
	backend.DelayedPublisher
	cut *atomic.Bool
}

func (c cutting) Publisher() (message.Publisher, error) {
	pub, err := c.Backend.Publisher()
	return cuttingPublisher{pub, c.cut}, err
}

type cuttingPublisher struct {
	message.Publisher
	cut *atomic.Bool
}

func (p cuttingPublisher) Publish(topic string, messages ...*message.Message) error {
	if topic == "notify.events" && p.cut.Load() {
		return errCut
	}
	return p.Publisher.Publish(topic, messages...)
}

// What is known, and could not be published yet, is published first.
func TestHandledPublishesWhatIsKnown(t *testing.T) {
	t.Parallel()
	cut := new(atomic.Bool)
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		v := &view{}
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		accepted := new(atomic.Int64)
		notify.On(b.Notifier, "view", v.observe)
		notify.On(b.Notifier, "accepted", func(context.Context, notify.Event[notify.Accepted]) error { accepted.Add(1); return nil })
		b.Start()
		cut.Store(true)
		id := b.Send(toAnna(notify.EmailChannel))
		require.ErrorIs(t, b.Notifier.Handled(t.Context(), id, "accepted"), errCut)
		require.Zero(t, accepted.Load())
		cut.Store(false)
		require.NoError(t, b.Notifier.Handled(t.Context(), id, "accepted"))
		require.Positive(t, accepted.Load())
		b.Settle(id)
	}, func(c *notify.Config) {
		m := memory.New()
		c.Backend, c.Records, c.AddressKey = cutting{m, m, m, m, cut}, memory.NewRecords(), []byte("sixteen bytes ok")
	})
}

func TestHandledWithoutPositions(t *testing.T) {
	t.Parallel()
	m := memory.New()
	n, err := notify.New(notify.Config{Backend: struct{ backend.Backend }{m}, Records: memory.NewRecords(), AddressKey: []byte("sixteen bytes ok")})
	require.NoError(t, err)
	require.ErrorIs(t, n.Handled(t.Context(), "n_1", "view"), notify.ErrUnsupported)
	require.NoError(t, n.Close(t.Context()))
}
