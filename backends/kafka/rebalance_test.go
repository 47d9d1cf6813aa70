package kafka_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

// Members come and go under load, each with a backend of its own, as another
// process has. The order of each key is kept and everything is handled; how
// often something was handled twice is counted.
func TestRebalanceUnderLoad(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	b := open(t, brokers, common)
	l := newLedger()
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	join := func(name string) (leave func()) {
		other := open(t, brokers, common)
		return consume(t, other, backend.Consumption{
			Topic: "t", Group: "g", Concurrency: 4,
			Handle: l.handle(name, func(string, int) error {
				time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
				return nil
			}),
		}, func(err error) { t.Errorf("%s: %v", name, err) })
	}
	join("constant")
	stop := l.keepPublishing(t, b, "t")
	members := 8
	for i := range members {
		name := "member-" + strconv.Itoa(i)
		leave := join(name)
		eventually(t, name+" has a share", func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.perMember[name] > 0
		})
		if i%3 != 2 {
			leave()
		}
	}
	stop()
	l.complete(t)
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%d messages, %d doubles, by %v", l.finished, l.doubles, l.perMember)
	// What comes again at a handover is what was finished ahead of one that was
	// not: a handful, as many as are handled at once.
	require.Less(t, l.doubles, members*4*4)
	require.Len(t, l.perMember, members+1)
}

// A member that dies without a word loses its partitions at the end of its
// session. What it had not committed comes again, and nothing is missed.
func TestADeadMember(t *testing.T) {
	t.Parallel()
	_, net := behind(t)
	quick := func(c *kafka.Config) { c.Session, c.Heartbeat = 4*time.Second, 100*time.Millisecond }
	common := config(quick, func(c *kafka.Config) { c.CommitInterval = time.Hour })
	dead := open(t, net.addrs, common)
	l := newLedger()
	require.NoError(t, dead.Fix(t.Context(), "t", "g", backend.FromNow()))
	release := make(chan struct{})
	leave := consume(t, dead, backend.Consumption{
		Topic: "t", Group: "g", Concurrency: 100,
		Handle: l.handle("dead", func(_ string, n int) error {
			if n == 5 {
				<-release // for ever, as far as the others know
			}
			return nil
		}),
	}, nil)
	l.publish(t, dead, "t", 10, keys(8)...)
	eventually(t, "it is stuck", func() bool { return l.count() == 8*5 })
	net.down() // and the process is gone: it cannot commit
	go leave()
	time.AfterFunc(100*time.Millisecond, func() { close(release) })
	eventually(t, "its handlers are over", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.atOnce == 0
	})
	leave()
	net.up()

	l.mu.Lock()
	clear(l.next) // of what was not committed, everything comes again
	l.finished = 0
	l.mu.Unlock()
	heir := open(t, net.addrs, common)
	consume(t, heir, backend.Consumption{Topic: "t", Group: "g", Handle: l.handle("heir", nil)}, nil)
	l.complete(t)
	require.Equal(t, 80, l.count())
}

// A partition that is stuck, since its one key fails and no more may queue behind
// that, holds up no other, and goes on when it can.
func TestAStuckPartitionHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	b := open(t, cluster(t), config(func(c *kafka.Config) { c.MaxAhead, c.MaxParkedPerKey, c.Partitions = 20, 20, 2 }))
	l := newLedger()
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	l.publish(t, b, "t", 200, "stuck")
	var heal atomic.Bool
	var failed atomic.Int64
	consume(t, b, backend.Consumption{
		Topic: "t", Group: "g", Concurrency: 4,
		Backoff: func(int, error) time.Duration { return 10 * time.Millisecond },
		Handle: l.handle("m", func(key string, _ int) error {
			if key == "stuck" && !heal.Load() {
				failed.Add(1)
				return errors.New("not yet")
			}
			return nil
		}),
	}, func(err error) { t.Error(err) })
	eventually(t, "it is stuck", func() bool { return failed.Load() > 5 })
	all := keys(40)
	l.publish(t, b, "t", 10, all...)
	elsewhere := 0 // in the other partition
	eventually(t, "the other partition is finished", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		elsewhere = 0
		for _, key := range all {
			if l.next[key] == 10 {
				elsewhere++
			}
		}
		return elsewhere >= len(all)/4
	})
	l.mu.Lock()
	require.Zero(t, l.next["stuck"])
	l.mu.Unlock()
	heal.Store(true)
	l.complete(t)
}

// A member whose handlers do not end gives its partitions up after Drain; others
// get what those have not finished. Its Consume waits for them all the same.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config(func(c *kafka.Config) { c.Drain = 100 * time.Millisecond })
	stuck, other := open(t, brokers, common), open(t, brokers, common)
	require.NoError(t, stuck.Fix(t.Context(), "t", "g", backend.FromNow()))
	gate := make(chan struct{})
	var atWork, taken sync.Map
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- stuck.Consume(ctx, backend.Consumption{
			Topic: "t", Group: "g", Concurrency: 100,
			Handle: func(_ context.Context, b *backend.Batch) (done int, _ error) {
				for b.Next() {
					atWork.Store(backend.Key(b.Message()), true)
					<-gate
					done++
				}
				return done, nil
			},
		})
	}()
	l := newLedger()
	l.publish(t, stuck, "t", 1, keys(20)...)
	size := func(m *sync.Map) (n int) {
		m.Range(func(any, any) bool { n++; return true })
		return n
	}
	eventually(t, "handlers are stuck", func() bool { return size(&atWork) == 20 })
	consume(t, other, backend.Consumption{
		Topic: "t", Group: "g",
		Handle: func(_ context.Context, b *backend.Batch) (done int, _ error) {
			for b.Next() {
				taken.Store(backend.Key(b.Message()), true)
				done++
			}
			return done, nil
		},
	}, func(err error) { t.Error(err) })
	eventually(t, "another has taken over some", func() bool { return size(&taken) > 0 })
	cancel()
	select {
	case err := <-ended:
		t.Fatalf("Consume returned before its handlers: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	close(gate)
	require.NoError(t, <-ended)
}
