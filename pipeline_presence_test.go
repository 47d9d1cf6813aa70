package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/presence"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// life is a backend as one process has it, where what the backend keeps outlives
// the process, as a file does: it knows who is present in this process only.
type life struct {
	*memory.Backend
	roll *presence.Set
	// lost is closed when others get what it has not finished; dead says that this
	// is because it died.
	lost chan struct{}
	dead atomic.Bool
	// loses says that they do not get it after all.
	loses bool
	// waits says that it does not tell who is present, as if others shared the
	// records.
	waits bool
}

func newLife(b *memory.Backend, roll *presence.Set) *life {
	return &life{Backend: b, roll: roll, lost: make(chan struct{})}
}

func (l *life) Enter(owner string) func() { return l.roll.Enter(owner) }

func (l *life) Present(owner string) bool { return l.waits || l.roll.Present(owner) }

func (l *life) die() {
	l.dead.Store(true)
	close(l.lost)
}

var errLost = errors.New("others got it")

// Commit, Store and Due are those of a process that may be dead.
func (l *life) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	if l.dead.Load() {
		return 0, backend.ErrClosed
	}
	return l.Backend.Commit(ctx, r, out)
}

func (l *life) Store(ctx context.Context, r backend.Record) (int64, error) {
	if l.dead.Load() {
		return 0, backend.ErrClosed
	}
	return l.Backend.Store(ctx, r)
}

func (l *life) Due(ctx context.Context, now time.Time, limit int) ([]string, time.Time, error) {
	if l.dead.Load() {
		return nil, time.Time{}, nil
	}
	return l.Backend.Due(ctx, now, limit)
}

// Consume ends when its work is lost, whatever its handlers are at.
func (l *life) Consume(ctx context.Context, c backend.Consumption) error {
	member, leave := context.WithCancel(ctx)
	defer leave()
	var handlers sync.WaitGroup
	defer handlers.Wait()
	handlers.Go(func() {
		select {
		case <-l.lost:
			leave()
		case <-member.Done():
		}
	})
	handle := c.Handle
	type result struct {
		done int
		err  error
	}
	c.Handle = func(ctx context.Context, b *backend.Batch) (int, error) {
		var messages []*message.Message
		for b.Next() {
			messages = append(messages, b.Message())
		}
		results := make(chan result, 1)
		handlers.Go(func() {
			done, err := handle(ctx, backend.NewBatch(b.Attempt, messages...))
			results <- result{done, err}
		})
		select {
		case r := <-results:
			return r.done, r.err
		case <-l.lost:
		}
		if l.loses {
			return len(messages), nil
		}
		return 0, errLost
	}
	err := l.Backend.Consume(member, c)
	<-ctx.Done()
	return err
}

// mails is a provider whose first call is under way until it is answered, and
// whose service honours keys.
type mails struct {
	answered chan struct{}
	mu       sync.Mutex
	calls    []notify.Delivery[notify.Email]
}

func newMails() *mails { return &mails{answered: make(chan struct{})} }

func (*mails) Name() string { return "mail" }

func (*mails) Capabilities() notify.Capabilities { return notify.Capabilities{KeyWindow: time.Hour} }

func (m *mails) Send(_ context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	m.mu.Lock()
	m.calls = append(m.calls, d)
	first := len(m.calls) == 1
	m.mu.Unlock()
	if first {
		<-m.answered // whatever the call's context says
	}
	return notify.Receipt{}, nil
}

func (m *mails) called() []notify.Delivery[notify.Email] {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// recordedForms are the forms of what keeps records, of any backend.
var recordedForms = map[string]func(notifytest.FullBackend) notify.Backend{
	"memory": func(b notifytest.FullBackend) notify.Backend { return b },
	"wire":   func(b notifytest.FullBackend) notify.Backend { return notifytest.WireOnly(b) },
	"apart":  notifytest.Apart,
}

// running starts a Notifier that shares the backend with others.
func running(t *testing.T, b notify.Backend, m *mails) *notify.Notifier {
	t.Helper()
	n, err := notify.New(notify.Config{
		Backend: b, KeepBackend: true, AddressKey: []byte("sixteen bytes ok"),
		Logger: slog.New(slog.DiscardHandler), DrainTimeout: time.Second,
	})
	require.NoError(t, err)
	notify.Use(n, notify.Provider[notify.Email](m))
	go func() { _ = n.Run(context.Background()) }()
	require.NoError(t, n.Ready(context.Background()))
	return n
}

func settles(t *testing.T, n *notify.Notifier, id string) {
	t.Helper()
	status, err := n.Wait(context.Background(), id)
	require.NoError(t, err)
	require.Equal(t, notify.StateSent, status.State)
}

// What a process that died was about is not waited for: neither if its work comes
// again, nor if only the record is left.
func TestALeaseOfADeadProcess(t *testing.T) {
	t.Parallel()
	const lease = 40 * time.Second
	for name, form := range recordedForms {
		for _, c := range []struct {
			name         string
			loses, waits bool
			within       time.Duration
			after        time.Duration
		}{
			{name: "its work comes again", within: time.Second},
			{name: "its record is left", loses: true, within: time.Second},
			{name: "others may have the records", waits: true, after: lease - time.Second, within: lease + 2*time.Second},
			{name: "others may have the records, and its record is left", waits: true, loses: true, after: lease + 20*time.Second, within: lease + time.Minute},
		} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					shared, m := memory.New(), newMails()
					first, second := newLife(shared, new(presence.Set)), newLife(shared, new(presence.Set))
					first.loses, second.waits = c.loses, c.waits
					dead := running(t, form(first), m)
					id, err := dead.Send(t.Context(), toAnna(notify.EmailChannel))
					require.NoError(t, err)
					synctest.Wait()
					require.Len(t, m.called(), 1)
					first.die()
					time.Sleep(200 * time.Millisecond) // a restart
					began := time.Now()
					n := running(t, form(second), m)
					settles(t, n, id)
					require.LessOrEqual(t, time.Since(began), c.within)
					require.GreaterOrEqual(t, time.Since(began), c.after)

					calls := m.called()
					require.Len(t, calls, 2)
					require.Equal(t, calls[0].Key, calls[1].Key, "repeated under its key")
					require.Equal(t, []int{1, 2}, []int{calls[0].Call, calls[1].Call}, "by another call, not the dead one's")
					close(m.answered)
					require.NoError(t, n.Close(t.Context()))
					_ = dead.Close(t.Context())
					require.NoError(t, shared.Close())
				})
			})
		}
	}
}

// As long as a call is under way its Notifier is present, whatever Close returned
// meanwhile: others in its process that get its work leave it alone. What nobody
// said to have ended, lives.
func TestACallThatIsUnderWay(t *testing.T) {
	t.Parallel()
	for name, form := range recordedForms {
		for _, closes := range []bool{false, true} {
			t.Run(map[bool]string{false: name + "/it lives", true: name + "/it was closed"}[closes], func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					shared, m, roll := memory.New(), newMails(), new(presence.Set)
					in := newLife(shared, roll)
					first := running(t, form(in), m)
					id, err := first.Send(t.Context(), toAnna(notify.EmailChannel))
					require.NoError(t, err)
					synctest.Wait()
					close(in.lost)
					if closes {
						require.ErrorContains(t, first.Close(t.Context()), "still running")
					}
					n := running(t, form(newLife(shared, roll)), m)
					time.Sleep(20 * time.Second)
					require.Len(t, m.called(), 1, "it is left alone")
					close(m.answered)
					settles(t, n, id)
					require.NoError(t, n.Close(t.Context()))
					if !closes {
						require.NoError(t, first.Close(t.Context()))
					}
					require.Len(t, m.called(), 1)
					require.NoError(t, shared.Close())
				})
			})
		}
	}
}

// roll are records that remember who is present.
type roll struct {
	*memory.Records
	mu     sync.Mutex
	owners []string
}

func (r *roll) Enter(owner string) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owners = append(r.owners, owner)
	return r.Records.Enter(owner)
}

func (r *roll) present() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, owner := range r.owners {
		if r.Present(owner) {
			n++
		}
	}
	return n
}

// A Notifier is present while it runs, also where its records are beside the
// backend.
func TestANotifierIsPresentWhileItRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		records := &roll{Records: memory.NewRecords()}
		begin := func() *notify.Notifier {
			n, err := notify.New(notify.Config{
				Backend: goChannel(gochannel.Config{}), Records: records, AddressKey: []byte("sixteen bytes ok"),
				Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(t, err)
			return n
		}
		var all []*notify.Notifier
		for range 2 {
			n := begin()
			require.Equal(t, len(all), records.present(), "before it runs")
			go func() { _ = n.Run(context.Background()) }()
			require.NoError(t, n.Ready(t.Context()))
			all = append(all, n)
			require.Equal(t, len(all), records.present())
		}
		require.NoError(t, begin().Close(t.Context()))
		for i, n := range all {
			require.NoError(t, n.Close(t.Context()))
			require.Equal(t, 1-i, records.present())
		}
	})
}
