package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

const (
	sampledTrace   = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	unsampledTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
)

// hooked is what hooks were called with.
type hooked struct {
	mu     sync.Mutex
	spans  []notify.Span
	ends   []string
	raised []string
	calls  []notify.ProviderCall
}

type inside struct{}

// hooks puts the operation into the context of what is done within.
func (h *hooked) hooks() notify.Hooks {
	return notify.Hooks{
		Begin: func(ctx context.Context, s notify.Span) notify.Begun {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.spans = append(h.spans, s)
			return notify.Begun{
				Context: context.WithValue(ctx, inside{}, s.Operation), TraceParent: s.TraceParent,
				End: func(failure string) {
					h.mu.Lock()
					defer h.mu.Unlock()
					h.ends = append(h.ends, string(s.Operation)+":"+failure)
				},
			}
		},
		Remote: func(parent, _ string) context.Context {
			return context.WithValue(context.Background(), inside{}, parent)
		},
		Raised: func(e notify.Event[any]) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.raised = append(h.raised, e.ID)
		},
		Called: func(c notify.ProviderCall) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.calls = append(h.calls, c)
		},
	}
}

// lookingMail tells what it finds in its context.
type lookingMail struct {
	*notifytest.Provider[notify.Email]
	found chan any
}

func (m lookingMail) Send(ctx context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	m.found <- ctx.Value(inside{})
	return m.Provider.Send(ctx, d)
}

func startHooked(t *testing.T, c notify.Config, register func(n *notify.Notifier)) (*notify.Notifier, *hooked, lookingMail, func()) {
	t.Helper()
	c.Logger = slog.New(slog.DiscardHandler)
	n, err := notify.New(c)
	require.NoError(t, err)
	h := &hooked{}
	n.Hook(h.hooks())
	mail := lookingMail{notifytest.NewProvider[notify.Email]("smtp"), make(chan any, 100)}
	notify.Use(n, mail, func(c *notify.ProviderConfig) { c.Backoff = func(int) time.Duration { return 0 } })
	register(n)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	stop := sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		require.NoError(t, n.Close(ctx))
		require.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	return n, h, mail, stop
}

func hookedMail() notify.Notification {
	return notify.Notification{
		To:      notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{notify.EmailChannel: "ada@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "On its way."},
		Route:   notify.First(notify.EmailChannel),
	}
}

// What is done within a span has its context, and a handler's still knows its
// cause.
func TestHooksAroundASampledTrace(t *testing.T) {
	t.Parallel()
	guarded, handled, sent := make(chan any, 1), make(chan any, 1), make(chan string, 1)
	n, h, mail, stop := startHooked(t, notify.Config{}, func(n *notify.Notifier) {
		n.Guard("looks", func(ctx context.Context, r notify.GuardRequest) (notify.Decision, error) {
			select {
			case guarded <- ctx.Value(inside{}):
			default:
			}
			return notify.Allow(), nil
		})
		notify.On(n, "answers", func(ctx context.Context, e notify.Event[notify.Settled]) error {
			if e.Depth > 0 {
				return nil
			}
			handled <- ctx.Value(inside{})
			nt := hookedMail()
			nt.Key = e.ID
			id, err := n.Send(ctx, nt)
			sent <- id
			return err
		})
	})
	mail.Next(notifytest.FailTemporarily(notify.ClassService, "451"))
	id, err := n.Send(notify.WithTrace(t.Context(), sampledTrace, ""), hookedMail())
	require.NoError(t, err)
	second := <-sent
	_, err = n.Wait(t.Context(), second)
	require.NoError(t, err)
	for e, err := range n.Watch(t.Context(), second) {
		require.NoError(t, err)
		require.Equal(t, 1, e.Depth)
		require.Equal(t, sampledTrace, e.TraceParent)
	}
	stop()
	require.Equal(t, notify.OperationRoute, <-guarded)
	require.Equal(t, notify.OperationCall, <-mail.found)
	require.Equal(t, notify.OperationHandle, <-handled)
	of := func(id string) (operations []notify.Operation) {
		for _, s := range h.spans {
			require.Equal(t, sampledTrace, s.TraceParent)
			if s.NotificationID == id && !slices.Contains(operations, s.Operation) {
				operations = append(operations, s.Operation)
			}
		}
		slices.Sort(operations)
		return operations
	}
	all := []notify.Operation{notify.OperationCall, notify.OperationDeliver, notify.OperationHandle, notify.OperationRoute, notify.OperationSend}
	require.Equal(t, all, of(id))
	require.Equal(t, all, of(second))
	require.Len(t, h.ends, len(h.spans), "each has ended once")
	require.Contains(t, h.ends, "call:service")
	require.Contains(t, h.ends, "handle:")
	require.Equal(t, []notify.FailureClass{notify.ClassService, "", ""}, []notify.FailureClass{h.calls[0].Class, h.calls[1].Class, h.calls[2].Class})
	require.Equal(t, notify.VerdictTemporary, h.calls[0].Verdict)
	require.Equal(t, "smtp", h.calls[0].Provider)
}

// Without a sampled trace only Send and Emit ask, and the trace is there for who
// looks for it.
func TestHooksAroundAnUnsampledTrace(t *testing.T) {
	t.Parallel()
	handled := make(chan any, 1)
	n, h, mail, stop := startHooked(t, notify.Config{}, func(n *notify.Notifier) {
		notify.On(n, "looks", func(ctx context.Context, e notify.Event[notify.Settled]) error {
			handled <- ctx.Value(inside{})
			return nil
		})
	})
	id, err := n.Send(notify.WithTrace(t.Context(), unsampledTrace, ""), hookedMail())
	require.NoError(t, err)
	require.NoError(t, n.Handled(t.Context(), id, "looks"))
	stop()
	require.Len(t, h.spans, 1)
	require.Equal(t, notify.OperationSend, h.spans[0].Operation)
	require.Equal(t, unsampledTrace, <-handled)
	// The span of Send, which the hook made, is not that of the steps.
	require.Equal(t, unsampledTrace, <-mail.found)
}

// Every event that is stored is raised once, whoever loses a race to store it.
func TestRaisedOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func() notify.Config{
		"together": func() notify.Config { return notify.Config{} },
		"apart": func() notify.Config {
			return notify.Config{Backend: notifytest.Apart(memory.New()), Records: memory.NewRecords(), AddressKey: []byte("0123456789abcdef")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, h, mail, stop := startHooked(t, c(), func(*notify.Notifier) {})
			mail.Next(notifytest.FailTemporarily(notify.ClassService, "451"))
			var want []string
			for i := range 20 {
				id, err := n.Send(t.Context(), hookedMail())
				require.NoError(t, err)
				if i%4 == 0 { // at once with the steps
					_, err = n.Cancel(t.Context(), id)
					require.True(t, err == nil || errors.Is(err, notify.ErrTooLate), "%v", err)
				}
				_, err = n.Wait(t.Context(), id)
				require.NoError(t, err)
				for e, err := range n.Watch(t.Context(), id) {
					require.NoError(t, err)
					want = append(want, e.ID)
				}
			}
			stop()
			require.ElementsMatch(t, want, h.raised)
		})
	}
}

// panicky is a backend that panics where something is stored or published.
type panicky struct {
	*memory.Backend
	on atomic.Bool
}

func (p *panicky) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	if p.on.Load() {
		panic("no more")
	}
	return p.Backend.Commit(ctx, r, out)
}

func (p *panicky) PublishLocal(now time.Time, topic string, value backend.Local) error {
	if p.on.Load() {
		panic("no more")
	}
	return p.Backend.PublishLocal(now, topic, value)
}

func TestASpanEndsWhereTheBackendPanics(t *testing.T) {
	t.Parallel()
	carrier := &panicky{Backend: memory.New()}
	n, h, _, stop := startHooked(t, notify.Config{Backend: carrier}, func(n *notify.Notifier) {
		notify.RegisterEvent[paid](n, "shop.paid.v1")
	})
	ctx := notify.WithTrace(t.Context(), sampledTrace, "")
	carrier.on.Store(true)
	require.Panics(t, func() { _, _ = n.Send(ctx, hookedMail()) })
	require.Panics(t, func() { _, _ = n.SendBatch(ctx, []notify.Notification{hookedMail()}) })
	require.Panics(t, func() { _, _ = notify.Emit(ctx, n, paid{}) })
	carrier.on.Store(false)
	stop()
	require.Equal(t, []string{"send:" + string(notify.ObserverPanicked), "send:" + string(notify.ObserverPanicked), "emit:" + string(notify.ObserverPanicked)}, h.ends)
}

func TestHookOnceAndBeforeRun(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	n.Hook(notify.Hooks{})
	n.Hook(notify.Hooks{})
	require.ErrorContains(t, n.Run(t.Context()), "Hook: was called before")
	require.NoError(t, n.Close(t.Context()))

	n, _, _, stop := startHooked(t, notify.Config{}, func(*notify.Notifier) {})
	n.Hook(notify.Hooks{})
	require.ErrorContains(t, n.Ready(t.Context()), "before Run")
	stop()
}
