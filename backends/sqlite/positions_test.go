package sqlite_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

// Groups that begin while the backend is closed end with it.
func TestClosingWhileGroupsBegin(t *testing.T) {
	t.Parallel()
	for range 30 {
		b := sqlite.Open(path(t))
		publish(t, b, "t", "k", 0, 10)
		var callers sync.WaitGroup
		errs := make(chan error, 100)
		for i := range 8 {
			group := strconv.Itoa(i)
			callers.Go(func() {
				errs <- b.Consume(context.Background(), backend.Consumption{Topic: "t", Group: group, Handle: func(_ context.Context, batch *backend.Batch) (int, error) {
					return batch.Len(), nil
				}})
			})
			callers.Go(func() {
				if b.Fix(context.Background(), "t", "idle"+group, backend.FromOldest()) == nil {
					errs <- b.CatchUp(context.Background(), "t", "idle"+group)
				}
			})
		}
		require.NoError(t, b.Close())
		callers.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				require.ErrorIs(t, err, backend.ErrClosed)
			}
		}
	}
}

func TestAForgottenGroupGetsNothingMore(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file)
	publish(t, b, "t", "k", 0, 3)
	fails := func(uuid string, _ int) bool { return uuid == "k/1" }
	g := consume(t, b, "t", "g", fails)
	eventually(t, func() bool { return len(g.tries("k/1")) > 1 }, "one fails")
	caughtUp := make(chan error)
	go func() { caughtUp <- b.CatchUp(context.Background(), "t", "g") }()
	require.NoError(t, b.Forget(t.Context(), "t", "g"))
	require.ErrorIs(t, <-caughtUp, backend.ErrNotFound)
	_, err := b.Lag(t.Context(), "t", "g")
	require.ErrorIs(t, err, backend.ErrNotFound)
	tries := len(g.tries("k/1"))
	publish(t, b, "t", "k", 3, 5)
	again := consume(t, b, "t", "g", nil) // a new group
	catchUp(t, b, "t", "g")
	require.Equal(t, uuids("k", 0, 5), again.got())
	require.Equal(t, uuids("k", 0, 1), g.got())
	require.LessOrEqual(t, len(g.tries("k/1")), tries+1, "what was under way may have finished")
	require.Zero(t, number(t, file, "SELECT count(*) FROM waiting"))
}

func TestAGroupThatIsRenamedGoesOn(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file)
	publish(t, b, "t", "k", 0, 3)
	g := consume(t, b, "t", "old", nil)
	catchUp(t, b, "t", "old")
	require.NoError(t, b.Rename(t.Context(), "t", "old", "new"))
	publish(t, b, "t", "k", 3, 5)
	catchUp(t, b, "t", "new")
	require.Equal(t, uuids("k", 0, 5), g.got())
	g.leave()
	require.NoError(t, b.Close())
	b = open(t, file)
	require.Zero(t, lag(t, b, "t", "new"))
	_, err := b.Lag(t.Context(), "t", "old")
	require.ErrorIs(t, err, backend.ErrNotFound)
}

// A position that was fixed at a time finds it among many messages, and never
// one that came before.
func TestFixingAtATime(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	var marks []time.Time
	for n := range 40 {
		marks = append(marks, time.Now())
		publish(t, b, "t", "k", n, n+1)
	}
	for n, mark := range marks {
		group := strconv.Itoa(n)
		require.NoError(t, b.Fix(t.Context(), "t", group, backend.FromTime(mark)))
		require.EqualValues(t, 40-n, lag(t, b, "t", group))
	}
}

func TestMissingNames(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	require.ErrorContains(t, b.Fix(t.Context(), "", "g", backend.FromNow()), "the topic is empty")
	require.ErrorContains(t, b.Fix(t.Context(), "t", "", backend.FromNow()), "the group is empty")
	require.ErrorContains(t, b.Rename(t.Context(), "t", "g", ""), "the group is empty")
	_, err := b.Subscriber("")
	require.ErrorContains(t, err, "the group is empty")
	require.ErrorContains(t, b.Consume(t.Context(), backend.Consumption{Topic: "t"}), "Group")
	_, err = b.Store(t.Context(), backend.Record{ID: "id"})
	require.ErrorContains(t, err, "the body is missing")
	_, err = b.Letters(t.Context(), "", "no number", 1)
	require.ErrorContains(t, err, "not the ID of a dead letter")
}

// A group that is made in the transaction that forgets another may get its
// place in the table, but not its position.
func TestAGroupThatIsMadeWhileAnotherIsForgotten(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file)
	publish(t, b, "t", "k", 0, 10)
	require.NoError(t, b.Fix(t.Context(), "t", "old", backend.FromOldest()))
	release, err := sqlite.Hold(b)
	require.NoError(t, err)
	var calls sync.WaitGroup
	var releaseBoth func()
	var hold, forget, fix error
	held := make(chan struct{})
	for n, call := range []func(){
		func() {
			releaseBoth, hold = sqlite.Hold(b)
			close(held)
		},
		func() { forget = b.Forget(t.Context(), "t", "old") },
		func() { fix = b.Fix(t.Context(), "t", "new", backend.FromOldest()) },
	} {
		calls.Go(call)
		eventually(t, func() bool { return sqlite.Queued(b) == n+1 }, "it waits behind the others")
	}
	release()
	<-held // in the transaction of the other two
	require.NoError(t, hold)
	ctx, leave := context.WithCancel(t.Context())
	var handled atomic.Int64
	calls.Go(func() {
		_ = b.Consume(ctx, backend.Consumption{Topic: "t", Group: "old", Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
			for ; batch.Next(); done++ {
				handled.Add(1)
			}
			return done, nil
		}})
	})
	eventually(t, func() bool { return handled.Load() == 10 && lag(t, b, "t", "old") == 0 }, "its position has moved")
	releaseBoth()
	publish(t, b, "t", "k", 10, 11)
	leave()
	calls.Wait()
	require.NoError(t, forget)
	require.NoError(t, fix)
	require.NoError(t, b.Close())
	b = open(t, file)
	require.EqualValues(t, 11, lag(t, b, "t", "new"), "none is passed over")
}
