package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestWithoutRecordsWhatNeedsThemIsRefused(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		notify.Use(b.Notifier, notifytest.NewProvider[notify.SMS]("sms"))
		nt := toAnna(notify.All(notify.EmailChannel, notify.SMSChannel))
		nt.Key = "order-1"
		_, err := b.Notifier.Send(t.Context(), nt)
		require.ErrorIs(t, err, notify.ErrUnsupported)
		require.ElementsMatch(t, []string{"Key", "Route"}, fieldsOf(err))
		_, err = b.Notifier.Explain(t.Context(), nt)
		require.ElementsMatch(t, []string{"Key", "Route"}, fieldsOf(err))

		_, err = b.Notifier.Cancel(t.Context(), "n_1")
		require.ErrorIs(t, err, notify.ErrUnsupported)
		_, err = b.Notifier.Status(t.Context(), "n_1")
		require.ErrorIs(t, err, notify.ErrUnsupported)
		require.ErrorIs(t, b.Notifier.Report(t.Context(), notify.Report{Provider: "mail", MessageID: "m", Event: notify.Delivered{}}), notify.ErrUnsupported)
		require.Contains(t, b.Notifier.Guarantees(), "There are no records: no idempotency keys, Cancel, Status or Report, no routes with All, and no receipts.")
	}, unrecorded.config)

	bare := struct{ backend.Backend }{memory.New()}
	_, err := notify.New(notify.Config{Backend: bare, Records: notify.NoRecords(memory.NewRecords()), AddressKey: make([]byte, 16)})
	require.ErrorContains(t, err, "hold delayed messages")
	require.NoError(t, bare.Close())

	large := memory.New()
	_, err = notify.New(notify.Config{Backend: withoutRecords(large), Records: notify.NoRecords(nil), MaxBytes: 1 << 20})
	require.Equal(t, []string{"Config.MaxBytes"}, fieldsOf(err))
	require.NoError(t, large.Close())

	whole := memory.New()
	n, err := notify.New(notify.Config{
		Backend: withoutRecords(whole), Records: notify.NoRecords(nil), Route: notify.All(notify.EmailChannel, notify.SMSChannel),
	})
	require.NoError(t, err)
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	notify.Use(n, notifytest.NewProvider[notify.SMS]("sms"))
	require.Equal(t, []string{"Config.Route"}, fieldsOf(n.Run(t.Context())))
	require.NoError(t, n.Close(t.Context()))
}

// A provider's receipts are not waited for, since there is nothing to keep them.
func TestWithoutRecordsReceiptsAreNotAwaited(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail", func(c *notify.Capabilities) { c.Receipts = true }))
		began := time.Now()
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		require.Less(t, time.Since(began), time.Minute)
	}, unrecorded.config)
}

// mortal is a process's view of a backend that others share. Once it is dead
// nothing it does arrives, and what it has not acknowledged comes to another.
type mortal struct {
	topicsOnly
	ctx  context.Context
	kill context.CancelFunc
	cut  atomic.Bool // publishing fails, for now
}

var errDead = errors.New("dead")

func newMortal(shared *memory.Backend) *mortal {
	m := &mortal{topicsOnly: withoutRecords(shared)}
	m.ctx, m.kill = context.WithCancel(context.Background())
	return m
}

func (m *mortal) broken() error {
	if m.ctx.Err() != nil || m.cut.Load() {
		return errDead
	}
	return nil
}

func (m *mortal) Publisher() (message.Publisher, error) {
	pub, err := m.topicsOnly.Publisher()
	return mortalPublisher{pub, m}, err
}

type mortalPublisher struct {
	message.Publisher
	of *mortal
}

func (p mortalPublisher) Publish(topic string, messages ...*message.Message) error {
	if err := p.of.broken(); err != nil {
		return err
	}
	return p.Publisher.Publish(topic, messages...)
}

func (m *mortal) PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error {
	if err := m.broken(); err != nil {
		return err
	}
	return m.topicsOnly.PublishAt(ctx, at, topic, messages...)
}

func (m *mortal) Consume(ctx context.Context, c backend.Consumption) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	handle := c.Handle
	c.Handle = func(ctx context.Context, b *backend.Batch) (int, error) {
		type result struct {
			done int
			err  error
		}
		returned := make(chan result, 1)
		var messages []*message.Message
		for b.Next() {
			messages = append(messages, b.Message())
		}
		own := backend.NewBatch(b.Attempt, messages...) // for longer than b may be used
		go func() {
			done, err := handle(ctx, own)
			returned <- result{done, err}
		}()
		select {
		case r := <-returned:
			return r.done, r.err
		case <-m.ctx.Done(): // it would never return
			return 0, nil
		}
	}
	return m.topicsOnly.Consume(ctx, c)
}

// stuck is a provider whose calls do not return while it is.
type stuck struct {
	calls atomic.Int64
	keys  chan string
	open  chan struct{}
}

func (*stuck) Name() string { return "mail" }

func (s *stuck) Send(_ context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	s.calls.Add(1)
	s.keys <- d.Key
	<-s.open
	return notify.Receipt{MessageID: "m_1"}, nil
}

// hosted is a running Notifier. It is no notifytest.Bench, which would have every
// event that comes again be the same.
type hosted struct {
	Notifier *notify.Notifier
	t        *testing.T
	ran      chan error
}

func (h *hosted) Close() {
	require.NoError(h.t, h.Notifier.Close(context.Background()))
	require.NoError(h.t, <-h.ran)
}

func process(t *testing.T, b *mortal, provider notify.Provider[notify.Email]) *hosted {
	n, err := notify.New(notify.Config{
		Backend: b, KeepBackend: true, Records: notify.NoRecords(nil), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	notify.Use(n, provider)
	h := &hosted{Notifier: n, t: t, ran: make(chan error, 1)}
	go func() { h.ran <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	return h
}

// A process that dies in a call leaves its work to another, which knows nothing
// of the call, and repeats it under the same key.
func TestWithoutRecordsAnotherProcessTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := memory.New()
		defer shared.Close()
		first, second := newMortal(shared), newMortal(shared)
		hung := &stuck{keys: make(chan string, 9), open: make(chan struct{})}
		one := process(t, first, hung)
		id, err := one.Notifier.Send(t.Context(), toAnna(notify.EmailChannel))
		require.NoError(t, err)
		key := <-hung.keys
		first.kill()

		works := &stuck{keys: make(chan string, 9), open: make(chan struct{})}
		close(works.open)
		two := process(t, second, works)
		status, err := two.Notifier.Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateSent, status.State)
		require.True(t, status.Settled)
		require.Equal(t, "anna", status.RecipientID)
		// Once, or twice if the route step too was done again.
		for range works.calls.Load() {
			require.Equal(t, key, <-works.keys)
		}
		require.LessOrEqual(t, works.calls.Load(), int64(2))

		close(hung.open) // the dead process's call returns, and nothing comes of it
		two.Close()
		_ = one.Notifier.Close(t.Context())
		time.Sleep(time.Minute) // it gives up
	})
}

// While a process lives it knows of its calls, also when it cannot tell anybody
// for longer than it tries.
func TestWithoutRecordsAnOutageAfterTheCallSendsNothingTwice(t *testing.T) {
	t.Parallel()
	for _, outage := range []time.Duration{3 * time.Second, time.Minute} {
		t.Run(outage.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				shared := memory.New()
				defer shared.Close()
				b := newMortal(shared)
				mail := &stuck{keys: make(chan string, 9), open: make(chan struct{})}
				bench := process(t, b, mail)
				id, err := bench.Notifier.Send(t.Context(), toAnna(notify.EmailChannel))
				require.NoError(t, err)
				<-mail.keys
				b.cut.Store(true)
				close(mail.open)
				time.Sleep(outage)
				b.cut.Store(false)
				status, err := bench.Notifier.Wait(t.Context(), id)
				require.NoError(t, err)
				require.Contains(t, []notify.State{notify.StateSent, notify.StateUnknown}, status.State)
				require.EqualValues(t, 1, mail.calls.Load())
				bench.Close()
			})
		})
	}
}

// A program that begins to keep records goes on with what was under way without.
func TestRecordsTakeOverFromNoRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := memory.New()
		defer shared.Close()
		down := notifytest.NewProvider[notify.Email]("mail")
		down.Next(notifytest.FailTemporarily(notify.ClassOther, "451"))
		one := process(t, newMortal(shared), down)
		id, err := one.Notifier.Send(t.Context(), toAnna(notify.EmailChannel))
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, down.Calls(), 1)
		one.Close()

		two := notifytest.Open(t, func(c *notify.Config) { c.Backend, c.KeepBackend = shared, true })
		up := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(two.Notifier, up)
		two.Start()
		time.Sleep(time.Hour)
		status, err := two.Notifier.Status(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateSent, status.State)
		require.Len(t, up.Calls(), 1)
		two.Close()
	})
}

// What a host or somebody else puts among a notification's events keeps nobody
// from seeing these.
func TestWithoutRecordsWaitPassesOverWhatIsNoEventOfOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := memory.New()
		defer shared.Close()
		publisher, err := shared.Publisher()
		require.NoError(t, err)
		bench := process(t, newMortal(shared), notifytest.NewProvider[notify.Email]("mail"))
		id, err := bench.Notifier.Send(t.Context(), toAnna(notify.EmailChannel))
		require.NoError(t, err)
		junk := message.NewMessage("junk", []byte("{"))
		junk.Metadata.Set(backend.KeyMetadata, id)
		require.NoError(t, publisher.Publish("notify.events", junk))
		synctest.Wait()
		status, err := bench.Notifier.Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateSent, status.State)
		bench.Close()
	})
}

func TestWithoutRecordsInMemoryIsSaid(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{Records: notify.NoRecords(nil)})
	require.NoError(t, err)
	require.Contains(t, n.Guarantees(), "There are no records: no idempotency keys, Cancel, Status or Report, no routes with All, and no receipts.")
	require.NoError(t, n.Close(t.Context()))
}
