package notify_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

// worker is a Worker of funcs.
type worker struct {
	attach func(n *notify.Notifier) error
	work   func(ctx context.Context, stopping <-chan struct{}) error
	calls  atomic.Int64
}

var _ notify.Worker = (*worker)(nil)

func (w *worker) Attach(n *notify.Notifier) error {
	if w.attach == nil {
		return nil
	}
	return w.attach(n)
}

func (w *worker) Work(ctx context.Context, stopping <-chan struct{}) error {
	w.calls.Add(1)
	return w.work(ctx, stopping)
}

func TestAWorkerFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var finished atomic.Bool
		w := &worker{work: func(ctx context.Context, stopping <-chan struct{}) error {
			<-stopping
			time.Sleep(800 * time.Millisecond) // the drain takes a second
			finished.Store(ctx.Err() == nil)
			return nil
		}}
		b.Attach(w)
		synctest.Wait()
		require.Zero(b, w.calls.Load(), "it waits for Run")
		b.run()
		synctest.Wait()
		require.EqualValues(b, 1, w.calls.Load())
		require.NoError(b, b.Close(b.ctx))
		require.True(b, finished.Load())
	})
}

func TestAWorkerIsAttachedWhileRunning(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		b.run()
		w := &worker{work: func(_ context.Context, stopping <-chan struct{}) error { <-stopping; return nil }}
		b.Attach(w)
		synctest.Wait()
		require.EqualValues(b, 1, w.calls.Load())
		require.NoError(b, b.Close(b.ctx))
		b.Attach(w)
		synctest.Wait()
		require.EqualValues(b, 1, w.calls.Load(), "not after Close")
	})
}

func TestAWorkerThatDoesNotStopInTimeIsNamed(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		release := make(chan struct{})
		stuck := &worker{work: func(context.Context, <-chan struct{}) error { <-release; return nil }}
		heeds := &worker{work: func(ctx context.Context, _ <-chan struct{}) error { <-ctx.Done(); return ctx.Err() }}
		b.Attach(stuck, heeds)
		b.run()
		began := time.Now()
		require.EqualError(b, b.Close(b.ctx), "notify: still running at the end of the drain: the work of *notify_test.worker")
		require.Equal(b, 2*time.Second, time.Since(began), "the drain, and a second more")
		close(release)
	})
}

func TestAWorkerThatFailsIsCalledAgain(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		w := &worker{}
		w.work = func(_ context.Context, stopping <-chan struct{}) error {
			switch w.calls.Load() {
			case 1:
				return errors.New("the store is away")
			case 2:
				panic("canary")
			case 3:
				<-stopping
				return errors.New("too late to matter")
			}
			return nil
		}
		done := &worker{work: func(context.Context, <-chan struct{}) error { return nil }}
		b.Attach(w, done)
		b.run()
		synctest.Wait()
		require.ErrorContains(b, b.Health(b.ctx).Err(), "the work of *notify_test.worker stopped, and is tried again: the store is away")
		time.Sleep(10 * time.Second)
		require.EqualValues(b, 3, w.calls.Load())
		require.ErrorContains(b, b.Health(b.ctx).Err(), "panic with a string")
		time.Sleep(time.Minute)
		require.NoError(b, b.Health(b.ctx).Err())
		require.EqualValues(b, 1, done.calls.Load(), "what is done is not called again")
		require.NotContains(b, b.log.String(), "canary")
		require.NoError(b, b.Close(b.ctx))
		require.EqualValues(b, 3, w.calls.Load())
	})
}

// What waits to be tried again is tried once more at the end, and if that fails too
// somebody is told.
func TestAWorkerThatWaitsIsCalledAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, last := range []error{nil, errors.New("still away")} {
		onBus(t, func(b *busTest) {
			w := &worker{}
			w.work = func(_ context.Context, stopping <-chan struct{}) error {
				if w.calls.Load() == 1 {
					return errors.New("the store is away")
				}
				<-stopping
				return last
			}
			b.Attach(w)
			b.run()
			synctest.Wait()
			require.NoError(b, b.Close(b.ctx))
			require.EqualValues(b, 2, w.calls.Load())
			require.Equal(b, last != nil, strings.Contains(b.log.String(), "still away"))
		})
	}
}

func TestAWorkerIsNotStartedElsewhere(t *testing.T) {
	t.Parallel()
	work := func(_ context.Context, stopping <-chan struct{}) error { <-stopping; return nil }
	onBus(t, func(b *busTest) {
		w := &worker{work: work}
		b.Attach(w)
		b.run()
		require.NoError(b, b.Close(b.ctx))
		require.Zero(b, w.calls.Load())
	}, func(c *notify.Config) { c.Roles = &notify.Roles{Route: true} })
	onBus(t, func(b *busTest) {
		w := &worker{work: work, attach: func(*notify.Notifier) error { return errors.New("no") }}
		b.Attach(w)
		require.Error(b, b.Notifier.Run(b.ctx))
		require.Zero(b, w.calls.Load())
	})
}

func TestAWorkerThatIsDoneDoesNotFail(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		w := &worker{}
		w.work = func(context.Context, <-chan struct{}) error {
			if w.calls.Load() == 1 {
				return errors.New("not yet")
			}
			return nil
		}
		b.Attach(w)
		b.run()
		synctest.Wait()
		require.ErrorContains(b, b.Health(b.ctx).Err(), "not yet")
		time.Sleep(time.Second)
		require.EqualValues(b, 2, w.calls.Load())
		require.NoError(b, b.Health(b.ctx).Err())
	})
}

// A worker that looks at what observers have done misses nothing at the end.
func TestAWorkerStopsAfterTheObservers(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		notify.On(b.Notifier, "slow", func(context.Context, notify.Event[notify.Opened]) error {
			time.Sleep(500 * time.Millisecond)
			return nil
		}, func(o *notify.Observer) { o.Background = true })
		var seen int64
		b.Attach(&worker{work: func(ctx context.Context, stopping <-chan struct{}) error {
			<-stopping
			seen = b.Stats(ctx).Observers[0].Successes
			return nil
		}})
		b.run()
		_, err := notify.Emit(b.ctx, b.Notifier, notify.Opened{})
		require.NoError(b, err)
		synctest.Wait()
		require.NoError(b, b.Close(b.ctx))
		require.EqualValues(b, 1, seen)
	})
}
