package memory_test

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

func TestCloseWaitsForHandlersAndEndsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		finished := false
		consumed := make(chan error, 1)
		publish(t, b, "t", "k", 0, 10)
		require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
		go func() {
			consumed <- b.Consume(context.Background(), backend.Consumption{
				Topic: "t", Group: "g",
				Handle: each(func(*event, int) error {
					time.Sleep(time.Minute)
					finished = true
					return nil
				}),
			})
		}()
		sub, err := b.Subscriber("watermill")
		require.NoError(t, err)
		channel, err := sub.Subscribe(context.Background(), "t")
		require.NoError(t, err)
		unfinished := <-channel
		caughtUp := make(chan error, 1)
		go func() { caughtUp <- b.CatchUp(context.Background(), "t", "g") }()
		admitted := make(chan error, 1)
		go func() { admitted <- b.Admit(context.Background(), "t", 1<<20, true) }()
		require.NoError(t, b.PublishAt(t.Context(), time.Now().Add(time.Hour), "t", local("k", 10)))
		synctest.Wait()

		begun := time.Now()
		require.NoError(t, b.Close())
		require.True(t, finished)
		require.Equal(t, time.Minute, time.Since(begun))
		require.NoError(t, <-consumed)
		require.ErrorIs(t, <-caughtUp, backend.ErrClosed)
		require.ErrorIs(t, <-admitted, backend.ErrClosed)
		require.Error(t, unfinished.Context().Err())
		_, open := <-channel
		require.False(t, open)
		require.NoError(t, sub.Close())
		require.NoError(t, b.Close(), "closing twice")
	})
}

func TestAfterClose(t *testing.T) {
	t.Parallel()
	b := memory.New()
	pub, err := b.Publisher()
	require.NoError(t, err)
	sub, err := b.Subscriber("g")
	require.NoError(t, err)
	require.NoError(t, b.Close())
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"Publisher":    func() error { _, err := b.Publisher(); return err },
		"Subscriber":   func() error { _, err := b.Subscriber("g"); return err },
		"Publish":      func() error { return pub.Publish("t", message.NewMessage("1", nil)) },
		"Subscribe":    func() error { _, err := sub.Subscribe(ctx, "t"); return err },
		"Initialize":   func() error { return sub.(message.SubscribeInitializer).SubscribeInitialize("t") },
		"PublishLocal": func() error { return publishLocal(b, "t", local("k", 0)) },
		"PublishAt":    func() error { return b.PublishAt(ctx, time.Now().Add(time.Hour), "t", local("k", 0)) },
		"Consume": func() error {
			return b.Consume(ctx, backend.Consumption{Topic: "t", Group: "g", Handle: each(nil)})
		},
		"Fix":     func() error { return b.Fix(ctx, "t", "g", backend.FromNow()) },
		"Rename":  func() error { return b.Rename(ctx, "t", "g", "h") },
		"Forget":  func() error { return b.Forget(ctx, "t", "g") },
		"Lag":     func() error { _, err := b.Lag(ctx, "t", "g"); return err },
		"CatchUp": func() error { return b.CatchUp(ctx, "t", "g") },
		"Admit":   func() error { return b.Admit(ctx, "t", 1, true) },
		"Load":    func() error { _, err := b.Load(ctx, "id"); return err },
		"LoadAlias": func() error {
			_, err := b.LoadAlias(ctx, "id")
			return err
		},
		"Store":   func() error { _, err := b.Store(ctx, backend.Record{ID: "id"}); return err },
		"Commit":  func() error { _, err := b.Commit(ctx, backend.Record{ID: "id"}, nil); return err },
		"Due":     func() error { _, _, err := b.Due(ctx, time.Now(), 1); return err },
		"Expire":  func() error { _, err := b.Expire(ctx, time.Now(), 1); return err },
		"Delete":  func() error { return b.Delete(ctx, "id", 1) },
		"Bury":    func() error { _, _, err := b.Bury(ctx, backend.DeadLetter{Message: local("k", 0)}); return err },
		"Letters": func() error { _, err := b.Letters(ctx, "", "", 1); return err },
		"Unbury":  func() error { return b.Unbury(ctx, "1") },
	} {
		require.ErrorIs(t, call(), backend.ErrClosed, name)
	}
}

// TestOpeningAndClosingLeaksNothing also relies on the leak check of TestMain.
func TestOpeningAndClosingLeaksNothing(t *testing.T) {
	cycle := func(i int) {
		b := memory.New()
		sub, err := b.Subscriber("s")
		require.NoError(t, err)
		_, err = sub.Subscribe(context.Background(), "t")
		require.NoError(t, err)
		publish(t, b, "t", strconv.Itoa(i), 0, 3)
		begun := make(chan struct{}, 3)
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g",
			Handle: each(func(*event, int) error {
				begun <- struct{}{}
				return errFailed
			}),
		})
		<-begun
		require.NoError(t, b.PublishAt(t.Context(), time.Now().Add(time.Hour), "t", local("k", 0)))
		if i%2 == 0 {
			leave()
		}
		require.NoError(t, b.Close())
		leave()
	}
	cycle(0)
	before := runtime.NumGoroutine()
	for i := range 1000 {
		cycle(i)
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, time.Minute, time.Millisecond,
		"those that are just ending end; one is Eventually's")
}

// Joining and leaving must leave nothing behind on a topic that is never
// published to.
func TestJoiningAndLeavingLeavesNothingBehind(t *testing.T) {
	bubble(t, func(t *testing.T, b *memory.Backend) {
		c := backend.Consumption{Topic: "t", Group: "g", Handle: each(func(*event, int) error { return nil })}
		joinAndLeave := func(n int) {
			for range n {
				leave := consume(t, b, c)
				synctest.Wait()
				leave()
			}
		}
		joinAndLeave(1)
		before := heapInUse()
		joinAndLeave(2000)
		require.Less(t, heapInUse(), before+200<<10)
	})
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
