package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
)

// Between two looks another process forgets the group, and fixes one of that name
// somewhere else: who waits for the first must not take the second for it.
func TestCatchingUpWithAGroupThatIsFixedAnew(t *testing.T) {
	t.Parallel()
	named := schema(t)
	b := open(t, named)
	conn := connect(t)
	var places [2]string
	for i := range places {
		group := fmt.Sprint("g", i)
		require.NoError(t, b.Fix(t.Context(), "t", group, backend.FromNow()))
		query := fmt.Sprintf("select began::text from %q.consumer where name = $1", schemaOf(named))
		require.NoError(t, conn.QueryRow(t.Context(), query, group).Scan(&places[i]))
	}
	publish(t, b, "t", of("k", 1)) // which nobody handles
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.CatchUp(ctx, "t", "g0") }()
	for i := 1; ; i++ {
		_, err := conn.Exec(t.Context(), fmt.Sprintf("update %q.consumer set began = $1 where name = 'g0'", schemaOf(named)), places[i%2])
		require.NoError(t, err)
		select {
		case err := <-ended:
			require.ErrorIs(t, err, backend.ErrNotFound)
			return
		default:
		}
	}
}
