package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/postgres"
)

// slow is a codec that waits when it decodes, in the middle of an Add.
type slow struct {
	postgres.Codec
	reached, release chan struct{}
}

func (s slow) Decode(m *message.Message) (notify.Event[any], error) {
	close(s.reached)
	<-s.release
	return s.Codec.Decode(m)
}

// Who erases waits for an event of the recipient's that is being added, by
// another process, and erases it.
func TestEraseWaitsForWhatIsBeingAdded(t *testing.T) {
	t.Parallel()
	named := schema(t)
	s := records(t, named)
	plain := s.Timeline(codec(t))
	slow := slow{codec(t), make(chan struct{}), make(chan struct{})}
	before := time.Now().Add(-time.Minute)
	require.NoError(t, plain.Add(t.Context(), event("n", before, "own", "shop.paid.v1", notify.Raw(`{}`))))
	theirs := event("n", before, "accepted", "notify.accepted.v1", notify.Accepted{})
	theirs.RecipientID = "u_1"
	added, erased := make(chan error, 1), make(chan int, 1)
	go func() { added <- s.Timeline(slow).Add(context.Background(), theirs) }()
	<-slow.reached
	go func() {
		n, err := plain.Erase(context.Background(), "", "u_1")
		if err != nil {
			n = -1
		}
		erased <- n
	}()
	conn := connect(t)
	eventually(t, func() bool {
		var waits int
		require.NoError(t, conn.QueryRow(t.Context(), `select count(*) from pg_locks l join pg_stat_activity a using (pid)
			where l.locktype = 'advisory' and not l.granted and a.query like '%pg_advisory_xact_lock($1)%'`).Scan(&waits))
		return waits > 0 || len(erased) > 0
	}, "it waits")
	close(slow.release)
	require.NoError(t, <-added)
	require.Equal(t, 1, <-erased)
	_, err := plain.Get(t.Context(), "n")
	require.ErrorIs(t, err, notify.ErrNotFound)
}
