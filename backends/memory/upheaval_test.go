package memory_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// ends checks that every message of a group ends once: handled, in the order of
// its key and no two of a key at a time, or overflowed.
type ends struct {
	mu       sync.Mutex
	ended    map[string]map[int]bool
	last     map[string]int // the latest handled of each key, from 1
	inFlight map[string]bool
	total    int
	wrong    []string
}

func newEnds() *ends {
	return &ends{ended: map[string]map[int]bool{}, last: map[string]int{}, inFlight: map[string]bool{}}
}

func (s *ends) end(e *event) {
	if s.ended[e.key] == nil {
		s.ended[e.key] = map[int]bool{}
	}
	if s.ended[e.key][e.n] {
		s.wrong = append(s.wrong, fmt.Sprintf("%s/%d ended twice", e.key, e.n))
	}
	s.ended[e.key][e.n] = true
	s.total++
}

func (s *ends) enter(e *event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inFlight[e.key] {
		s.wrong = append(s.wrong, fmt.Sprintf("two of %s at a time", e.key))
	}
	s.inFlight[e.key] = true
	if e.n < s.last[e.key] {
		s.wrong = append(s.wrong, fmt.Sprintf("%s/%d after %d", e.key, e.n, s.last[e.key]-1))
	}
}

func (s *ends) leave(e *event, finished bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight[e.key] = false
	if finished {
		s.last[e.key] = e.n + 1
		s.end(e)
	}
}

func (s *ends) overflow(e *event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(e)
}

// Members come, go, and go on under another name, queues overflow, and
// Overflow refuses, in any order: every message ends, once, and in its order.
// Then the backend is closed, or the group forgotten, at any moment.
func TestWhateverHappensEveryMessageEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		keys := rapid.IntRange(1, 8).Draw(rt, "keys")
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{
			"publish", "publish", "publish", "publish", "burst", "sleep", "doze", "join", "leave", "rename",
		}), 30, 120).Draw(rt, "steps")
		failures := rapid.SampledFrom([]int{2, 7, 50}).Draw(rt, "one in so many fails")
		most := rapid.IntRange(1, 6).Draw(rt, "failures in a row")
		slow := rapid.SampledFrom([]int{5, 40, 1000}).Draw(rt, "one in so many is slow")
		concurrency := rapid.IntRange(1, 4).Draw(rt, "concurrency")
		perKey := rapid.SampledFrom([]int{1, 3, 20}).Draw(rt, "queue per key")
		parked := rapid.SampledFrom([]int{2, 10, 100}).Draw(rt, "queues")
		refusals := rapid.IntRange(0, 3).Draw(rt, "refusals")
		finale := rapid.SampledFrom([]string{"catch up", "catch up", "close", "forget"}).Draw(rt, "finale")

		bubble(t, func(t *testing.T, b *memory.Backend) {
			seen := newEnds()
			var mu sync.Mutex
			refused := map[int]int{}
			handle := each(func(e *event, attempt int) error {
				seen.enter(e)
				if e.n%slow == slow-1 {
					time.Sleep(20 * time.Millisecond)
				}
				failed := e.n%failures == 0 && attempt <= e.n%(most+1)
				seen.leave(e, !failed)
				if failed {
					return errFailed
				}
				return nil
			})
			consumption := backend.Consumption{
				Topic: "t", Concurrency: concurrency, Handle: handle,
				Backoff: func(attempt int, _ error) time.Duration { return time.Duration(attempt) * 3 * time.Millisecond },
				Overflow: func(m *message.Message) error {
					e := eventOf(m)
					mu.Lock()
					refused[e.n]++
					n := refused[e.n]
					mu.Unlock()
					if n <= refusals {
						return errRefused
					}
					time.Sleep(time.Duration(e.n%3) * time.Millisecond)
					seen.overflow(e)
					return nil
				},
			}
			name := "g0"
			var members []func()
			join := func() {
				c := consumption
				c.Group = name
				members = append(members, consume(t, b, c))
				synctest.Wait()
			}
			published := map[string]int{}
			publishSome := func(n int) {
				for i := range n {
					key := strconv.Itoa((len(published) + i*i) % keys)
					publish(t, b, "t", key, published[key], published[key]+1)
					published[key]++
				}
			}
			join()
			for i, step := range steps {
				switch step {
				case "publish":
					publishSome(i%7 + 9)
				case "burst":
					publishSome(300)
				case "sleep":
					time.Sleep(10 * time.Millisecond)
				case "doze":
					time.Sleep(100 * time.Microsecond)
				case "join":
					join()
				case "leave":
					if len(members) > 0 {
						members[0]()
						members = members[1:]
					}
				case "rename":
					former := name
					name = "g" + strconv.Itoa(i+1)
					require.NoError(t, b.Rename(t.Context(), "t", former, name))
				}
			}
			switch finale {
			case "close":
				require.NoError(t, b.Close())
			case "forget":
				require.NoError(t, b.Forget(t.Context(), "t", name))
			default:
				join()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				require.NoError(t, b.CatchUp(ctx, "t", name))
				synctest.Wait()
				lag, err := b.Lag(ctx, "t", name)
				require.NoError(t, err)
				require.Zero(t, lag)
				for key, n := range published {
					require.Len(t, seen.ended[key], n)
				}
			}
			for _, leave := range members {
				leave()
			}
			ended := seen.total
			time.Sleep(time.Hour)
			require.Equal(t, ended, seen.total, "nothing goes on afterwards")
			require.Empty(t, seen.wrong)
		}, func(c *memory.Config) { c.MaxParkedPerKey, c.MaxParked = perKey, parked })
	})
}
