package cache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cache"
	"github.com/seed-6c01d079/notify/notifytest"
)

var errDown = errors.New("the cache is down")

// remote is a cache that notes its calls.
type remote struct {
	mu    sync.Mutex
	calls [][]string
	fails int // so many more calls
}

func (r *remote) Invalidate(_ context.Context, keys []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, slices.Clone(keys))
	if r.fails > 0 {
		r.fails--
		return errDown
	}
	return nil
}

// keys are all that were invalidated, and how often.
func (r *remote) keys() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]int{}
	for _, call := range r.calls {
		for _, key := range call {
			all[key]++
		}
	}
	return all
}

type touched struct{ Keys []string }

// byTouched invalidates what a touched names.
func byTouched(c *cache.Config) {
	c.Rules = []cache.Rule{cache.Keys(func(e notify.Event[touched]) []string { return e.Data.Keys })}
}

// touch emits an event about a notification of its own: those of one come one
// after the other, and share no call.
func touch(t *testing.T, b *notifytest.Bench, keys ...string) {
	t.Helper()
	_, err := notify.Emit(t.Context(), b.Notifier, touched{keys}, func(e *notify.Envelope) { e.NotificationID = uuid.NewString() })
	require.NoError(t, err)
}

func open(b *notifytest.Bench, r *remote, options ...func(*cache.Config)) {
	notify.RegisterEvent[touched](b.Notifier, "shop.touched.v1")
	b.Notifier.Attach(cache.New(r, append([]func(*cache.Config){byTouched}, options...)...))
	b.Start()
}

// A burst is one call, in which each key is once.
func TestABurst(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		r := &remote{}
		open(b, r)
		for n := range 100 {
			touch(t, b, "inbox", fmt.Sprint("user-", n%10))
		}
		b.Pass(time.Second)
		require.Len(t, r.keys(), 11)
		for _, call := range r.calls {
			require.Len(t, call, len(slices.Compact(slices.Sorted(slices.Values(call)))), "no key twice in a call")
		}
		made := len(r.calls)
		require.LessOrEqual(t, made, 3, "the first event begins alone")
		touch(t, b, "inbox")
		touch(t, b)
		b.Pass(time.Second)
		require.Len(t, r.calls, made+1, "what comes later is a call of its own")
		require.Equal(t, []string{"inbox"}, r.calls[made])
	})
}

// An event is done when its keys are invalidated, and not before.
func TestACacheThatIsDown(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		r := &remote{fails: 3}
		open(b, r)
		for n := range 10 {
			touch(t, b, fmt.Sprint(n))
		}
		b.Pass(time.Minute)
		require.Zero(t, r.fails)
		for n := range 10 {
			require.Contains(t, slices.Concat(r.calls[3:]...), fmt.Sprint(n), "three calls failed")
		}
		letters, err := b.Notifier.DeadLetters(t.Context(), "cache", "", 0)
		require.NoError(t, err)
		require.Empty(t, letters)
	})
}

// A call has no more keys than are allowed, and is made once it has.
func TestFullCalls(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		r := &remote{}
		open(b, r, func(c *cache.Config) { c.MaxKeys, c.Window = 10, 20*time.Second })
		for n := range 95 {
			touch(t, b, fmt.Sprint(n))
		}
		b.Pass(30 * time.Second)
		require.Len(t, r.keys(), 95, "only a call that is not full waits for its window")
		for _, call := range r.calls {
			require.LessOrEqual(t, len(call), 10)
		}
	})
}

// A call that panics fails all events that share it.
func TestACallThatPanics(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		r := &remote{}
		panics := true
		notify.RegisterEvent[touched](b.Notifier, "shop.touched.v1")
		b.Notifier.Attach(cache.New(cache.Func(func(ctx context.Context, keys []string) error {
			if panics {
				panics = false
				panic("no cache")
			}
			return r.Invalidate(ctx, keys)
		}), byTouched))
		b.Start()
		for n := range 10 {
			touch(t, b, fmt.Sprint(n))
		}
		b.Pass(time.Minute)
		require.Len(t, r.keys(), 10)
	})
}

// A window that is longer than the observer's timeout leaves the call its time.
func TestAWindowBeyondTheTimeout(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		r := &remote{}
		notify.RegisterEvent[touched](b.Notifier, "shop.touched.v1")
		b.Notifier.Attach(cache.New(cache.Func(func(ctx context.Context, keys []string) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return r.Invalidate(ctx, keys)
		}), byTouched, func(c *cache.Config) { c.Window = time.Minute }))
		b.Start()
		for n := range 3 {
			touch(t, b, fmt.Sprint(n))
		}
		b.Pass(time.Minute)
		require.Equal(t, map[string]int{"0": 1, "1": 1, "2": 1}, r.keys())
		for _, o := range b.Notifier.Stats(t.Context()).Observers {
			require.Zero(t, o.Failures, o.Name)
		}
	})
}

// Without a window every event has its own call.
func TestWithoutAWindow(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		r := &remote{}
		open(b, r, func(c *cache.Config) { c.Window, c.Concurrency = -1, 1 })
		for range 3 {
			touch(t, b, "inbox")
		}
		synctest.Wait()
		require.Len(t, r.calls, 3)
	})
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	for problem, c := range map[string]*cache.Cache{
		"cache.New: the invalidator is nil":            cache.New(nil, byTouched),
		"cache.Config.Rules: needs a rule":             cache.New(&remote{}),
		"cache.Config.Rules[0]: the function is nil":   cache.New(&remote{}, func(c *cache.Config) { c.Rules = []cache.Rule{cache.Keys[notify.Sent](nil)} }),
		"cache.Config.Window: must be at most":         cache.New(&remote{}, byTouched, func(c *cache.Config) { c.Window = time.Hour }),
		"cache.Config.MaxKeys: must not be negative":   cache.New(&remote{}, byTouched, func(c *cache.Config) { c.MaxKeys = -1 }),
		"cache_test.touched is not an event; register": cache.New(&remote{}, byTouched),
	} {
		n, err := notify.New(notify.Config{})
		require.NoError(t, err)
		n.Attach(c)
		_, err = n.Send(context.Background(), notify.Notification{})
		require.ErrorContains(t, err, problem)
		require.NoError(t, n.Close(context.Background()))
	}
}
