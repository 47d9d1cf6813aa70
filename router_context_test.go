package notify_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

// A handler that overran its timeout never hands its canceled context to the
// rest of its batch.
func TestEachEventHasATimeoutOfItsOwn(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var left seen[time.Duration]
		notify.On(b.Notifier, "o", func(ctx context.Context, e notify.Event[paid]) error {
			if ctx.Err() != nil {
				t.Error("a context that has ended: ", ctx.Err())
			}
			deadline, ok := ctx.Deadline()
			if !ok {
				t.Error("no deadline")
			}
			left.add(time.Until(deadline))
			if e.Data.Order == "0" {
				<-ctx.Done()
				time.Sleep(time.Second)
				return nil // too late, but done
			}
			time.Sleep(600 * time.Millisecond)
			return ctx.Err()
		}, func(o *notify.Observer) {
			o.Timeout = time.Second
			o.Concurrency = 1
		})
		b.run()
		for i := range 50 {
			b.pay(strconv.Itoa(i), "n1")
		}
		time.Sleep(time.Hour)
		require.Len(t, left.list(), 50, "nothing came again")
		for _, one := range left.list() {
			require.Equal(t, time.Second, one)
		}
		require.EqualValues(t, 50, b.stats("o").Successes)
	})
}

// The context ends with the handler, so that what was started with it ends.
func TestTheContextEndsWithItsHandler(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var ended atomic.Int64
		type key struct{}
		notify.On(b.Notifier, "o", func(ctx context.Context, _ notify.Event[paid]) error {
			ctx = context.WithValue(ctx, key{}, 1)
			child, cancel := context.WithTimeout(ctx, time.Hour)
			_ = cancel // forgotten
			go func() {
				<-child.Done()
				ended.Add(1)
			}()
			return nil
		})
		b.run()
		for range 10 {
			b.pay("1", "n1")
		}
		synctest.Wait()
		require.EqualValues(t, 10, ended.Load())
	})
}

func TestNoTimeout(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var done atomic.Bool
		notify.On(b.Notifier, "o", func(ctx context.Context, _ notify.Event[paid]) error {
			if _, ok := ctx.Deadline(); ok {
				t.Error("a deadline")
			}
			select {
			case <-ctx.Done():
			case <-time.After(24 * time.Hour):
				done.Store(true)
			}
			return nil
		}, func(o *notify.Observer) { o.Timeout = -1 })
		b.run()
		b.pay("1", "n1")
		time.Sleep(25 * time.Hour)
		require.True(t, done.Load())
	})
}

// A handler that looks at its context late has no more time than one that
// looked at once.
func TestTheTimeoutBeginsWithTheHandler(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var took seen[time.Duration]
		notify.On(b.Notifier, "o", func(ctx context.Context, _ notify.Event[paid]) error {
			began := time.Now()
			time.Sleep(700 * time.Millisecond)
			<-ctx.Done()
			took.add(time.Since(began))
			return notify.Permanent(ctx.Err())
		}, func(o *notify.Observer) { o.Timeout = time.Second })
		b.run()
		for range 3 {
			b.pay("1", "n1")
			time.Sleep(10 * time.Second)
		}
		require.Equal(t, []time.Duration{time.Second, time.Second, time.Second}, took.list())
	})
}

// What runs at the end of the drain is told by its context.
func TestCloseEndsHandlersThatDoNotEnd(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var canceled atomic.Bool
		notify.On(b.Notifier, "o", func(ctx context.Context, _ notify.Event[paid]) error {
			<-ctx.Done()
			canceled.Store(true)
			return nil
		}, func(o *notify.Observer) { o.Timeout = -1 })
		b.run()
		b.pay("1", "n1")
		synctest.Wait()
		require.NoError(t, b.Close(b.ctx), "it ended when it was told")
		require.True(t, canceled.Load())
	})
}

// Who looks at the context after its handler has returned, which nobody
// should, spoils nothing for the next event.
func TestAContextThatIsLookedAtTooLate(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		look := make(chan struct{})
		late := make(chan context.Context, 1)
		notify.On(b.Notifier, "o", func(ctx context.Context, e notify.Event[paid]) error {
			if e.Data.Order == "1" {
				go func() {
					<-look
					<-ctx.Done()
					late <- ctx
				}()
				return nil
			}
			return ctx.Err()
		}, func(o *notify.Observer) { o.Timeout = time.Minute })
		b.run()
		b.pay("1", "n1")
		time.Sleep(time.Second)
		close(look)
		time.Sleep(time.Hour)
		b.pay("2", "n2")
		synctest.Wait()
		require.Zero(t, b.stats("o").Failures)
		require.EqualValues(t, 2, b.stats("o").Successes)
		require.Error(t, (<-late).Err())
	})
}
