package kafka_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-6c01d079/notify/backend"
)

// What waits for another attempt is noted beside the offset: another member
// goes on with the attempt after it, and repeats nothing that was finished
// beyond it. Others know the lag.
func TestWhatWaitsIsNotedDown(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	first := open(t, brokers, common)
	l := newLedger()
	require.NoError(t, first.Fix(t.Context(), "t", "g", backend.FromNow()))
	l.publish(t, first, "t", 3, "bad-1", "bad-2")
	l.publish(t, first, "t", 20, keys(30)...)
	var mu sync.Mutex
	attempts := map[string][]int{} // by key, of the first message
	var heal atomic.Bool
	member := func(name string) backend.Consumption {
		handle := l.handle(name, func(key string, _ int) error {
			if key == "bad-1" || key == "bad-2" {
				if !heal.Load() {
					return errors.New("not yet")
				}
			}
			return nil
		})
		return backend.Consumption{
			Topic: "t", Group: "g", Concurrency: 4,
			Backoff: func(int, error) time.Duration { return 150 * time.Millisecond },
			Handle: func(ctx context.Context, b *backend.Batch) (int, error) {
				done, err := handle(ctx, b)
				if err != nil {
					mu.Lock()
					attempts[backend.Key(b.Message())] = append(attempts[backend.Key(b.Message())], b.Attempt)
					mu.Unlock()
				}
				return done, err
			},
		}
	}
	tried := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(attempts["bad-1"]) >= n && len(attempts["bad-2"]) >= n
		}
	}
	leave := consume(t, first, member("first"), func(err error) { t.Error(err) })
	eventually(t, "the others are finished", func() bool { return l.count() == 600 })
	eventually(t, "those have been tried", tried(2))
	leave()

	second := open(t, brokers, common)
	lag, err := second.Lag(t.Context(), "t", "g")
	require.NoError(t, err)
	require.Equal(t, int64(6), lag)
	mu.Lock()
	before := len(attempts["bad-1"])
	mu.Unlock()
	consume(t, second, member("second"), func(err error) { t.Error(err) })
	eventually(t, "those are tried again", tried(before+2))
	heal.Store(true)
	l.complete(t)
	require.NoError(t, second.CatchUp(t.Context(), "t", "g"))
	require.Zero(t, l.doubles, "what was finished beyond them does not come again")
	for key, all := range attempts {
		for i, attempt := range all {
			require.Equal(t, i+1, attempt, "the attempts of %s are counted on: %v", key, all)
		}
	}
}

// If more wait than can be noted, less is: some come again, and none is missed.
func TestMoreThanCanBeNoted(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	first := open(t, brokers, common)
	l := newLedger()
	require.NoError(t, first.Fix(t.Context(), "t", "g", backend.FromNow()))
	const n = 5000
	pub, err := first.Publisher()
	require.NoError(t, err)
	for from := 0; from < n; from += 500 {
		all := wires(from, from+500)
		for _, m := range all {
			m.Payload = []byte("0")
			l.sent[backend.Key(m)] = 1
		}
		require.NoError(t, pub.Publish("t", all...))
	}
	var heal atomic.Bool
	var failed atomic.Int64
	member := func(name string) backend.Consumption {
		return backend.Consumption{
			Topic: "t", Group: "g", Concurrency: 8,
			Backoff: func(int, error) time.Duration { return 2 * time.Second },
			Handle: l.handle(name, func(key string, _ int) error {
				i, _ := strconv.Atoi(key[1:])
				if i%2 == 0 && !heal.Load() {
					failed.Add(1)
					return errors.New("not yet")
				}
				return nil
			}),
		}
	}
	leave := consume(t, first, member("first"), func(err error) { t.Error(err) })
	eventually(t, "half have failed", func() bool { return failed.Load() >= n/2 && l.count() >= n/2 })
	leave()
	heal.Store(true)
	second := open(t, brokers, common)
	consume(t, second, member("second"), func(err error) { t.Error(err) })
	l.complete(t)
	t.Logf("%d of %d came again", l.doubles, n/2)
	require.Less(t, l.doubles, n/2)
}

// Others' metadata beside an offset is left out of account.
func TestOthersMetadata(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	b := open(t, brokers, common)
	l := newLedger()
	l.publish(t, b, "t", 2, keys(10)...)
	topic := prefixOf(common) + "t"
	offsets := make(kadm.Offsets)
	for p, metadata := range []string{"by hand", "notify1 ", "notify1 AA==", "notify1 /////////////w=="} {
		offsets.Add(kadm.Offset{Topic: topic, Partition: int32(p), At: 0, LeaderEpoch: -1, Metadata: metadata})
	}
	require.NoError(t, admin(t, brokers).CommitAllOffsets(t.Context(), topic+"/g", offsets))
	lag, err := b.Lag(t.Context(), "t", "g")
	require.NoError(t, err)
	require.Equal(t, int64(20), lag)
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: l.handle("m", nil)}, func(err error) { t.Error(err) })
	l.complete(t)
}
