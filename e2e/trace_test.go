package e2e_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/kafka"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/backends/postgres/postgrestest"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/forward"
	"github.com/seed-6c01d079/notify/telemetry"
)

// A trace goes over every hop of every backend: from Send to the provider, to the
// observers, to what they send and emit, and into the copies for others.
func TestOneTraceOnEveryBackend(t *testing.T) {
	key := []byte("0123456789abcdef")
	onKafka := func(t *testing.T) notify.Backend {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		require.NoError(t, err)
		t.Cleanup(cluster.Close)
		return kafka.New(cluster.ListenAddrs(), func(c *kafka.Config) { c.Replication = 1 })
	}
	for name, config := range map[string]func(t *testing.T) notify.Config{
		"memory": func(*testing.T) notify.Config { return notify.Config{} },
		"memory, with middleware": func(*testing.T) notify.Config {
			return notify.Config{Middleware: []message.HandlerMiddleware{func(h message.HandlerFunc) message.HandlerFunc { return h }}}
		},
		"sqlite": func(t *testing.T) notify.Config {
			return notify.Config{Backend: sqlite.Open(filepath.Join(t.TempDir(), "notify.db"))}
		},
		"postgres": func(t *testing.T) notify.Config {
			server, err := postgrestest.Start()
			if errors.Is(err, postgrestest.ErrMissing) {
				t.Skip(err)
			}
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, server.Stop()) })
			return notify.Config{Backend: postgres.New(server.DSN()), AddressKey: key}
		},
		"kafka": func(t *testing.T) notify.Config {
			return notify.Config{Backend: onKafka(t), Records: memory.NewRecords(), AddressKey: key}
		},
		"kafka, without records": func(t *testing.T) notify.Config {
			return notify.Config{Backend: onKafka(t), Records: notify.NoRecords(memory.NewRecords()), AddressKey: key}
		},
		"watermill": func(*testing.T) notify.Config {
			channel := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: 100}, nil)
			return notify.Config{
				Backend: notify.FromWatermill(channel, func(string) (message.Subscriber, error) { return channel, nil }),
				Records: memory.NewRecords(), AddressKey: key,
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newTraced(t, config(t)).check(t)
		})
	}
}

// Paid is an event of the host's.
type Paid struct {
	Order string `json:"order"`
}

// traced is a Notifier with traces.
type traced struct {
	*notify.Notifier
	spans   *tracetest.SpanRecorder
	copies  <-chan *message.Message
	stop    func()
	settled chan string // the trace of the second notification

	mu   sync.Mutex
	seen map[string]map[string]bool // by trace ID, what observers saw
}

func newTraced(t *testing.T, c notify.Config) *traced {
	t.Helper()
	c.Logger = slog.New(slog.DiscardHandler)
	n, err := notify.New(c)
	require.NoError(t, err)
	r := &traced{
		Notifier: n, spans: tracetest.NewSpanRecorder(), settled: make(chan string, 1), seen: map[string]map[string]bool{},
	}
	theirs := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: 100}, nil)
	r.copies, err = theirs.Subscribe(context.Background(), "copies")
	require.NoError(t, err)
	notify.Use(n, notify.Provider[notify.Email](mailer{}))
	n.Attach(
		telemetry.New(telemetry.Config{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))}),
		forward.New(theirs, "copies", func(c *forward.Config) { c.Events = []any{notify.Settled{}} }),
	)
	notify.RegisterEvent[Paid](n, "shop.paid.v1")
	notify.On(n, "all", func(_ context.Context, e notify.Event[any]) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		id := traceID(e.TraceParent)
		if r.seen[id] == nil {
			r.seen[id] = map[string]bool{}
		}
		r.seen[id][e.Type] = true
		return nil
	})
	notify.On(n, "emits", func(ctx context.Context, e notify.Event[notify.Settled]) error {
		if e.Depth > 0 {
			r.settled <- traceID(e.TraceParent)
			return nil
		}
		_, err := notify.Emit(ctx, n, Paid{Order: "o_1"})
		return err
	})
	notify.On(n, "sends", func(ctx context.Context, e notify.Event[Paid]) error {
		_, err := n.Send(ctx, mailTo("u_2"))
		return err
	})
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	ready, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, n.Ready(ready))
	r.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, n.Close(ctx))
		require.NoError(t, <-ended)
		require.NoError(t, theirs.Close())
	})
	t.Cleanup(r.stop)
	return r
}

func mailTo(recipient string) notify.Notification {
	return notify.Notification{
		To:      notify.Recipient{ID: recipient, Addresses: map[notify.Channel]string{notify.EmailChannel: "ada@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "On its way."},
		Route:   notify.First(notify.EmailChannel),
	}
}

func traceID(parent string) string {
	if parts := strings.Split(parent, "-"); len(parts) == 4 {
		return parts[1]
	}
	return ""
}

func (r *traced) check(t *testing.T) {
	t.Helper()
	_, err := r.Send(t.Context(), mailTo("u_1"))
	require.NoError(t, err)
	var last string
	select {
	case last = <-r.settled:
	case <-time.After(time.Minute):
		require.Fail(t, "the second notification has not settled")
	}
	for range 2 {
		select {
		case m := <-r.copies:
			require.Equal(t, last, traceID(m.Metadata["ce_traceparent"]))
			m.Ack()
		case <-time.After(time.Minute):
			require.Fail(t, "a copy is missing")
		}
	}
	r.stop()

	names := map[string]int{}
	var trace string
	for _, s := range r.spans.Ended() {
		trace = s.SpanContext().TraceID().String()
		require.Equal(t, last, trace, s.Name())
		names[s.Name()]++
	}
	require.Equal(t, 2, names["send notify.route"])
	require.Equal(t, 1, names["send notify.events"])
	require.GreaterOrEqual(t, names["process notify.route"], 2)
	require.GreaterOrEqual(t, names["process notify.deliver.email.normal"], 2)
	require.Equal(t, 2, names["call "+mailer{}.Name()])
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, kind := range []string{"notify.accepted.v1", "notify.routed.v1", "notify.sent.v1", "notify.settled.v1", "shop.paid.v1"} {
		require.True(t, r.seen[trace][kind], "%s in %v", kind, r.seen)
	}
	delete(r.seen, trace)
	require.Empty(t, r.seen, "another trace")
}
