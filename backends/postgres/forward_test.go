package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
)

// picky is a backend elsewhere that refuses some messages, and may take long.
type picky struct {
	backend.Backend
	refuses func(id string) bool
	holds   func()

	mu   sync.Mutex
	took []string
}

func (p *picky) Publisher() (message.Publisher, error) { return p, nil }

func (p *picky) Publish(_ string, messages ...*message.Message) error {
	if p.holds != nil {
		p.holds()
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

// put puts messages into the outbox, and begins to forward them to a backend.
func forward(t *testing.T, store *postgres.Store, to backend.Backend, messages ...*message.Message) {
	t.Helper()
	conn := connect(t)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	within, err := store.Within(tx)
	require.NoError(t, err)
	var out []backend.Publication
	for _, m := range messages {
		out = append(out, backend.Publication{Topic: "t", Message: m})
	}
	_, err = within.Commit(t.Context(), backend.Record{ID: "r", Body: backend.Bytes("body")}, out)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Forward(ctx, to) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
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
	elsewhere := &picky{holds: func() {
		close(holds)
		<-release
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
