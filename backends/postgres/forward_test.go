package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
)

// picky is a backend elsewhere that refuses some messages, and may take long.
type picky struct {
	backend.Backend
	refuses func(id string) bool
	holds   func(ctx context.Context) error

	mu   sync.Mutex
	took []string
}

func (p *picky) Publisher() (message.Publisher, error) { return p, nil }

func (p *picky) Publish(_ string, messages ...*message.Message) error {
	if p.holds != nil {
		if err := p.holds(messages[0].Context()); err != nil {
			return err
		}
	}
	for _, m := range messages {
		if p.refuses != nil && p.refuses(m.UUID) {
			return errors.New("the message is too large")
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range messages {
		p.took = append(p.took, m.UUID)
	}
	return nil
}

func (p *picky) Close() error { return nil }

func (p *picky) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.took...)
}

// forward puts messages into the outbox, and begins to forward them to a backend,
// until the returned function is called, or the test ends.
func forward(t *testing.T, store *postgres.Store, to backend.Backend, messages ...*message.Message) (stop func()) {
	t.Helper()
	fill(t, store, messages...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Forward(ctx, to) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	return stop
}

func fill(t *testing.T, store *postgres.Store, messages ...*message.Message) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), connect(t), func(tx pgx.Tx) error {
		within, err := store.Within(tx)
		require.NoError(t, err)
		var out []backend.Publication
		for _, m := range messages {
			out = append(out, backend.Publication{Topic: "t", Message: m})
		}
		_, err = within.Commit(t.Context(), backend.Record{ID: "r", Body: backend.Bytes("body")}, out)
		return err
	}))
}

// What a forwarder had taken that ends is there for others at once, and what one
// had taken that died is once its time is over.
func TestWhatAForwarderHadTakenIsForwarded(t *testing.T) {
	t.Parallel()
	named := schema(t)
	store := records(t, named)
	taken := make(chan struct{})
	stop := forward(t, store, &picky{holds: func(ctx context.Context) error {
		close(taken)
		<-ctx.Done()
		return ctx.Err()
	}}, of("k", 0))
	<-taken
	require.Equal(t, 1, count(t, named, "outbox where at > clock_timestamp() + interval '20 s'"), "others leave it alone")
	stop()
	require.Equal(t, 1, count(t, named, "outbox where at is null"))

	_, err := connect(t).Exec(t.Context(), "update "+schemaOf(named)+".outbox set at = clock_timestamp() + interval '300 ms'")
	require.NoError(t, err)
	elsewhere := &picky{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Forward(ctx, elsewhere) }()
	eventually(t, func() bool { return count(t, named, "outbox") == 0 }, "it is forwarded")
	cancel()
	require.NoError(t, <-ended)
	require.Equal(t, []string{"k/0"}, elsewhere.all())
}

// A message that the backend refuses stays in the outbox, and holds up no other.
func TestARefusedMessageHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	named := schema(t)
	elsewhere := &picky{refuses: func(id string) bool { return id == "k/0" || id == "k/7" }}
	var messages []*message.Message
	for n := range 10 {
		messages = append(messages, of("k", n))
	}
	forward(t, records(t, named), elsewhere, messages...)
	eventually(t, func() bool { return count(t, named, "outbox") == 2 }, "the others are forwarded")
	require.ElementsMatch(t, []string{"k/1", "k/2", "k/3", "k/4", "k/5", "k/6", "k/8", "k/9"}, elsewhere.all())
}

// While the other backend takes its time no transaction is open, which would
// hold up whoever reads topics on this server.
func TestForwardingHoldsNoTransactionOpen(t *testing.T) {
	t.Parallel()
	holds, release := make(chan struct{}), make(chan struct{})
	elsewhere := &picky{holds: func(context.Context) error {
		close(holds)
		<-release
		return nil
	}}
	forward(t, records(t, schema(t)), elsewhere, of("k", 0))
	<-holds
	defer close(release)

	b := open(t, schema(t), short)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	var seen got
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(m *message.Message, _ int) error {
		seen.add(m.UUID)
		return nil
	})})
	publish(t, b, "t", of("k", 1))
	eventually(t, func() bool { return len(seen.all()) == 1 }, "it is read")
}
