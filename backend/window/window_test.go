package window_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/window"
)

func item(position int, key string) window.Item {
	m := message.NewMessage(strconv.Itoa(position), nil)
	m.Metadata.Set(backend.KeyMetadata, key)
	return window.Item{Position: int64(position), Message: m}
}

// journal is a durable log with what a backend would have written down of its
// one group, and what the handlers did over all restarts.
type journal struct {
	items  []window.Item
	next   int // index of the first item to be read
	wait   []window.Waiting
	fails  []int           // how often each is still to fail
	slow   []time.Duration // how long each takes
	single bool            // only Low is written down

	mu       sync.Mutex
	finished []bool
	handling map[string]bool
	latest   map[string]int // of each key, what was handled last in this life
	wrong    []string
}

func (j *journal) handle(_ context.Context, b *backend.Batch) (done int, err error) {
	for b.Next() {
		i, _ := strconv.Atoi(b.Message().UUID)
		if err := j.one(i, backend.Key(b.Message()), b.Attempt); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

var errFailed = errors.New("failed")

func (j *journal) one(i int, key string, attempt int) error {
	j.mu.Lock()
	if j.handling[key] {
		j.wrongf("two messages of key %s at once", key)
	}
	j.handling[key] = true
	for before := range i {
		if backend.Key(j.items[before].Message) == key && !j.finished[before] {
			j.wrongf("%d is handled before %d of the same key is finished", i, before)
		}
	}
	switch latest, ok := j.latest[key]; {
	case ok && i < latest:
		j.wrongf("%d is handled after %d of the same key", i, latest)
	case ok && i == latest && attempt == 1:
		j.wrongf("%d is delivered again, and has not failed", i)
	}
	j.latest[key] = i
	j.mu.Unlock()
	time.Sleep(j.slow[i])
	j.mu.Lock()
	defer j.mu.Unlock()
	j.handling[key] = false
	if j.fails[i] > 0 {
		j.fails[i]--
		return errFailed
	}
	j.finished[i] = true
	return nil
}

// wrongf notes what a handler has seen, which must not end the test itself.
func (j *journal) wrongf(format string, args ...any) {
	if len(j.wrong) < 3 {
		j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
	}
}

// store writes down what the window says, and checks that nothing is lost by it.
func (j *journal) store(w *window.Window) {
	next := func(at int64, clear bool) int {
		if clear {
			return int(at) + 1
		}
		return int(at)
	}
	var p window.Position
	at := 0
	if j.single {
		at = next(w.Low())
	} else {
		p = w.Position()
		at = next(p.At, p.Clear)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if at < j.next {
		j.wrongf("the position moved back, from %d to %d", j.next, at)
	}
	j.next, j.wait = at, p.Waiting
	waits := map[int]bool{}
	for _, one := range j.wait {
		i := int(one.Position)
		if waits[i] || i >= at {
			j.wrongf("%d waits, and comes again: the position is %d", i, at)
		}
		waits[i] = true
	}
	for i := range j.next {
		if !j.finished[i] && !waits[i] {
			j.wrongf("%d is neither finished nor waiting, and the position is %d", i, j.next)
		}
	}
}

// staff is who works in a life of the journal's window.
type staff struct {
	members, concurrency int
	stays                time.Duration // before a member leaves, and another comes
	room                 int
}

// life opens a window on what was written down, and works for some time.
func (j *journal) life(s staff, lasts time.Duration) {
	j.latest = map[string]int{}
	w := window.New(func(c *window.Config) { c.After = int64(j.next) - 1; c.MaxParkedPerKey = 20 })
	var messages []*message.Message
	for _, one := range j.wait {
		messages = append(messages, j.items[one.Position].Message)
	}
	if err := w.Restore(j.wait, messages); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	var wg sync.WaitGroup
	for range s.members {
		wg.Go(func() {
			c := backend.Consumption{
				Topic: "t", Group: "g", Concurrency: s.concurrency, MaxBatch: 8, Handle: j.handle,
				Backoff: func(n int, _ error) time.Duration { return time.Duration(n) * 7 * time.Millisecond },
			}
			for ctx.Err() == nil {
				ctx, leave := context.WithTimeout(ctx, s.stays)
				if err := w.Consume(ctx, c); err != nil {
					panic(err)
				}
				leave()
			}
		})
	}
	from := j.next
	wg.Go(func() {
		for i := from; i < len(j.items); i++ {
			if w.Room(ctx, s.room) != nil {
				return
			}
			if err := w.Add(j.items[i]); err != nil {
				panic(err)
			}
		}
	})
	for ctx.Err() == nil && (j.next < len(j.items) || len(j.wait) > 0) {
		time.Sleep(3 * time.Millisecond)
		j.store(w)
	}
	cancel()
	wg.Wait()
	// A crash is that what happened since the last store is not known.
	_ = w.Close(context.Background())
}

func TestWhateverIsWrittenDownNothingIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(rt, "messages")
		keys := rapid.IntRange(1, 8).Draw(rt, "keys")
		j := &journal{
			single:   rapid.Bool().Draw(rt, "single"),
			fails:    rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 0, 0, 0, 1, 2, 9}), n, n).Draw(rt, "fails"),
			finished: make([]bool, n), handling: map[string]bool{},
		}
		for _, ms := range rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 0, 1, 6, 40}), n, n).Draw(rt, "slow") {
			j.slow = append(j.slow, time.Duration(ms)*time.Millisecond)
		}
		for i, key := range rapid.SliceOfN(rapid.IntRange(0, keys-1), n, n).Draw(rt, "keys of all") {
			j.items = append(j.items, item(i, strconv.Itoa(key)))
		}
		all := staff{
			members:     rapid.IntRange(1, 3).Draw(rt, "members"),
			concurrency: rapid.IntRange(1, 4).Draw(rt, "concurrency"),
			stays:       rapid.SampledFrom([]time.Duration{5 * time.Millisecond, 30 * time.Millisecond, time.Hour}).Draw(rt, "stays"),
			room:        rapid.SampledFrom([]int{1, 10, 1000}).Draw(rt, "room"),
		}
		lives := rapid.SliceOfN(rapid.IntRange(1, 60), 0, 4).Draw(rt, "lives")
		// What fails in the bubble fails the test as a whole: nothing does there.
		synctest.Test(t, func(*testing.T) {
			for _, ms := range lives {
				j.life(all, time.Duration(ms)*time.Millisecond)
			}
			j.life(all, time.Hour)
		})
		require.Empty(rt, j.wrong)
		require.Equal(rt, n, j.next)
		require.Empty(rt, j.wait)
		require.NotContains(rt, j.finished, false)
	})
}

// consume runs one member until the test ends.
func consume(t *testing.T, w *window.Window, handle func(m *message.Message, attempt int) error) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.Consume(ctx, backend.Consumption{
			Topic: "t", Group: "g",
			Backoff: func(int, error) time.Duration { return time.Minute },
			Handle: func(_ context.Context, b *backend.Batch) (done int, err error) {
				for ; b.Next(); done++ {
					if err := handle(b.Message(), b.Attempt); err != nil {
						return done, err
					}
				}
				return done, nil
			},
		})
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

func TestAFailedItemKeepsThePositionOfTheOthersNotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled []string
		w := window.New(func(c *window.Config) { c.After = 41 })
		require.Equal(t, window.Position{At: 41, Clear: true}, w.Position())
		consume(t, w, func(m *message.Message, attempt int) error {
			if m.UUID == "42" && attempt < 3 {
				return errFailed
			}
			handled = append(handled, fmt.Sprint(m.UUID, "/", attempt))
			return nil
		})
		require.NoError(t, w.Add(item(42, "a"), item(43, "b"), item(44, "a"), item(45, "b")))
		synctest.Wait()
		first := time.Now().Add(time.Minute)
		require.Equal(t, []string{"43/1", "45/1"}, handled)
		require.Equal(t, window.Position{At: 45, Clear: true, Waiting: []window.Waiting{{42, 1, first}, {Position: 44}}}, w.Position())
		require.EqualValues(t, 2, w.Lag())
		low, clear := w.Low()
		require.Equal(t, []any{int64(42), false}, []any{low, clear})

		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []window.Waiting{{42, 2, first.Add(time.Minute)}, {Position: 44}}, w.Position().Waiting)
		require.NoError(t, w.CatchUp(t.Context()))
		require.Equal(t, []string{"43/1", "45/1", "42/3", "44/1"}, handled)
		require.Equal(t, window.Position{At: 45, Clear: true}, w.Position())
		require.NoError(t, w.Close(t.Context()))
	})
}

// A message that failed waits only where everything before it is finished: what
// is read again from the log, and what is behind it, comes in the log's order.
func TestWhatComesAgainFromTheLogDoesNotWaitToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := window.New()
		gate := make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = w.Consume(ctx, backend.Consumption{
				Topic: "t", Group: "g", Concurrency: 2,
				Handle: func(_ context.Context, b *backend.Batch) (done int, err error) {
					for ; b.Next(); done++ {
						switch b.Message().UUID {
						case "1":
							<-gate
						case "2":
							return done, errFailed
						}
					}
					return done, nil
				},
			})
		}()
		require.NoError(t, w.Add(item(0, "a"), item(1, "b"), item(2, "a")))
		synctest.Wait()
		time.Sleep(20 * time.Millisecond) // it is slow: others go on with a
		synctest.Wait()
		require.Equal(t, window.Position{}, w.Position())
		close(gate)
		synctest.Wait()
		require.Len(t, w.Position().Waiting, 1)
		require.EqualValues(t, 2, w.Position().At)
		leave()
		<-ended
		require.NoError(t, w.Close(t.Context()))
	})
}

func TestRestoredItemsKeepTheirAttemptsAndTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var handled []string
		w := window.New()
		require.NoError(t, w.Restore(
			[]window.Waiting{{Position: 3, Attempt: 4, Due: began.Add(time.Hour)}, {Position: 5}, {Position: 6}},
			[]*message.Message{item(3, "a").Message, item(5, "a").Message, item(6, "b").Message}))
		consume(t, w, func(m *message.Message, attempt int) error {
			handled = append(handled, fmt.Sprint(m.UUID, "/", attempt, " after ", time.Since(began)))
			return nil
		})
		require.NoError(t, w.Add(item(9, "a"), item(10, "c")))
		require.NoError(t, w.CatchUp(t.Context()))
		slices.Sort(handled[:2])
		require.Equal(t, []string{"10/1 after 0s", "6/1 after 0s", "3/5 after 1h0m0s", "5/1 after 1h0m0s", "9/1 after 1h0m0s"}, handled)
		require.Equal(t, window.Position{At: 10, Clear: true}, w.Position())
		require.NoError(t, w.Close(t.Context()))
	})
}

// The log is kept in segments, and those that are finished go.
func TestThePositionBeyondASegmentThatHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := window.New()
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			_ = w.Consume(ctx, backend.Consumption{Topic: "t", Group: "g", Handle: func(_ context.Context, b *backend.Batch) (done int, err error) {
				for ; b.Next(); done++ {
				}
				return done, nil
			}})
		}()
		for n := range 1024 {
			require.NoError(t, w.Add(item(n, "a")))
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		require.Equal(t, window.Position{At: 1023, Clear: true}, w.Position())
		require.NoError(t, w.Add(item(1024, "a")))
		require.Equal(t, window.Position{At: 1024}, w.Position())
		require.NoError(t, w.Close(t.Context()))
	})
}

func TestRoomCountsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := window.New()
		gate := make(chan struct{})
		consume(t, w, func(m *message.Message, _ int) error {
			if m.UUID == "0" {
				return errFailed // parked: it takes no room
			}
			<-gate
			return nil
		})
		require.NoError(t, w.Add(item(0, "a"), item(1, "b"), item(2, "c")))
		synctest.Wait()
		require.NoError(t, w.Room(t.Context(), 3))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, w.Room(ctx, 2), context.DeadlineExceeded)
		made := make(chan error)
		go func() { made <- w.Room(t.Context(), 2) }()
		gate <- struct{}{}
		gate <- struct{}{}
		require.NoError(t, <-made)
		require.NoError(t, w.Close(t.Context()))
		require.NoError(t, w.Add(item(3, "a")), "what comes after Close is not looked at")
		require.Equal(t, int64(2), w.Position().At)
	})
}

// What a slow worker's batch gives back queues behind it, and takes no room: or
// the reader would wait for that one handler.
func TestRoomIsMadeBySlowWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := window.New()
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan struct{})
		gates := map[string]chan struct{}{"0": make(chan struct{}), "200": make(chan struct{})}
		go func() {
			defer close(ended)
			_ = w.Consume(ctx, backend.Consumption{
				Topic: "t", Group: "g", Concurrency: 2,
				Handle: func(_ context.Context, b *backend.Batch) (done int, err error) {
					for ; b.Next(); done++ {
						if gate := gates[b.Message().UUID]; gate != nil {
							<-gate
						}
					}
					return done, nil
				},
			})
		}()
		for n := range 500 {
			require.NoError(t, w.Add(item(n, "a")))
		}
		synctest.Wait()
		time.Sleep(time.Second)
		require.NoError(t, w.Room(t.Context(), 2), "all but one queue behind it")
		close(gates["0"]) // the others come in batches, each twice as long as the one before
		synctest.Wait()
		ctx2, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, w.Room(ctx2, 2))
		close(gates["200"])
		require.NoError(t, w.CatchUp(t.Context()))
		leave()
		<-ended
		require.NoError(t, w.Close(t.Context()))
	})
}

func TestCloseWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := window.New()
		gate := make(chan struct{})
		consume(t, w, func(*message.Message, int) error { <-gate; return nil })
		require.NoError(t, w.Add(item(7, "a")))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, w.Close(ctx), context.DeadlineExceeded)
		require.Equal(t, window.Position{At: 7}, w.Position())
		close(gate)
		require.NoError(t, w.Close(t.Context()), "the handler has returned")
		require.Equal(t, window.Position{At: 7}, w.Position(), "what ended too late counts as unfinished")
		require.ErrorIs(t, w.Consume(t.Context(), backend.Consumption{
			Topic: "t", Group: "g", Handle: func(context.Context, *backend.Batch) (int, error) { return 0, nil },
		}), backend.ErrClosed)
		for _, n := range []int{0, 100} {
			require.ErrorIs(t, w.Room(t.Context(), n), backend.ErrClosed)
		}
		require.ErrorIs(t, w.CatchUp(t.Context()), backend.ErrClosed)
	})
}

func TestBadItems(t *testing.T) {
	t.Parallel()
	w := window.New()
	require.ErrorContains(t, w.Add(window.Item{Position: 9}), "position 9")
	require.ErrorContains(t, w.Restore(make([]window.Waiting, 1), nil), "1 waiting items with 0 messages")
	require.ErrorContains(t, w.Restore(make([]window.Waiting, 1), make([]*message.Message, 1)), "nil")
	require.ErrorContains(t, w.Consume(t.Context(), backend.Consumption{}), "Topic")
	require.NoError(t, w.Close(t.Context()))
}
