package postgres_test

import (
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
)

// lateCommit has transaction A insert, B insert and commit, the consumer pass,
// which it does or not, and then A commit. It returns what the consumer got.
func lateCommit(t *testing.T, passes bool, opts ...func(*postgres.Config)) []string {
	named := schema(t)
	var c postgres.Config
	named(&c)
	b := open(t, append(opts, named, func(c *postgres.Config) { c.Poll = 20 * time.Millisecond })...)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	var seen got
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(m *message.Message, _ int) error {
		seen.add(m.UUID)
		return nil
	})})
	publish(t, b, "t", of("k", 0))
	caughtUp(t, b, "t", "g")

	begin := func() pgx.Tx {
		tx, err := connect(t).Begin(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { _ = tx.Rollback(t.Context()) })
		return tx
	}
	insert := func(tx pgx.Tx, id string) {
		_, err := tx.Exec(t.Context(), "insert into "+c.Schema+".message (topic, partition, uuid, metadata, payload) select topic, partition, $1, metadata, payload from "+c.Schema+".message limit 1", id)
		require.NoError(t, err)
	}
	a, other := begin(), begin()
	insert(a, "A")
	insert(other, "B")
	require.NoError(t, other.Commit(t.Context()))
	lag, err := b.Lag(t.Context(), "t", "g")
	require.NoError(t, err)
	require.LessOrEqual(t, lag, int64(1))
	if passes {
		eventually(t, func() bool { return slices.Contains(seen.all(), "B") }, "it passes A")
	} else {
		time.Sleep(300 * time.Millisecond) // for it to look, many times
	}
	require.NoError(t, a.Commit(t.Context()))
	publish(t, b, "t", of("k", 1))
	eventually(t, func() bool { return slices.Contains(seen.all(), "k/1") }, "what was published last arrives")
	return seen.all()
}

func TestAConsumerDoesNotPassARowThatCommitsLate(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"k/0", "A", "B", "k/1"}, lateCommit(t, false))
}

// The control: without the rule the row is lost.
func TestWithoutTheRuleALateRowIsLost(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"k/0", "B", "k/1"}, lateCommit(t, true, postgres.SeesAll))
}
