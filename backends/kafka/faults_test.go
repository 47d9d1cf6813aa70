package kafka_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

func TestABrokerThatIsDownAtStart(t *testing.T) {
	t.Parallel()
	_, net := behind(t)
	net.down()
	b := open(t, net.addrs, config(func(c *kafka.Config) { c.StartTimeout = 300 * time.Millisecond }))
	_, err := b.Publisher()
	require.ErrorContains(t, err, net.addrs[0])
	require.ErrorContains(t, err, "answered within 300ms")
	require.ErrorContains(t, err, "see that one runs there")
	require.Error(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))

	// It is not beyond help: the next call tries again, and waits.
	patient := open(t, net.addrs, config(func(c *kafka.Config) { c.StartTimeout = time.Minute }))
	up := time.AfterFunc(300*time.Millisecond, net.up)
	defer up.Stop()
	_, err = patient.Publisher()
	require.NoError(t, err)
	eventually(t, "so can the other", func() bool { _, err := b.Publisher(); return err == nil })
}

// Close may be called by several at once, while others are in mid-flight: each
// waits for the end, and whoever was at it is told that it is closed, or is done.
func TestCloseInMidFlight(t *testing.T) {
	t.Parallel()
	b := open(t, cluster(t), config())
	l := newLedger()
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	l.publish(t, b, "t", 1, keys(20)...)
	pub, err := b.Publisher()
	require.NoError(t, err)
	var calls sync.WaitGroup
	for i, call := range []func() error{
		func() error { return pub.Publish("t", wire("k", 0)) },
		func() error { return b.PublishAt(t.Context(), time.Now().Add(time.Hour), "t", wire("k", 0)) },
		func() error { return b.Fix(t.Context(), "t", "another", backend.FromNow()) },
		func() error { _, err := b.Lag(t.Context(), "t", "g"); return err },
		func() error {
			for _, err := range b.Tail(t.Context(), "t", "nobody's", time.Time{}) {
				return err
			}
			return nil
		},
		func() error {
			return b.Consume(t.Context(), backend.Consumption{Topic: "t", Group: "g", Handle: l.handle("m", nil)})
		},
	} {
		calls.Go(func() {
			for {
				err := call()
				if errors.Is(err, backend.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			}
		})
	}
	l.complete(t)
	for range 4 {
		calls.Go(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
}

// What the client says again and again is logged once in a while.
func TestTheClientRepeatsItself(t *testing.T) {
	t.Parallel()
	_, net := behind(t)
	net.down()
	logged := new(logBuffer)
	b := open(t, net.addrs, config(func(c *kafka.Config) {
		c.StartTimeout, c.Logger = 500*time.Millisecond, slog.New(slog.NewTextHandler(logged, nil))
	}))
	eventually(t, "it has tried", func() bool {
		_, err := b.Publisher()
		require.Error(t, err)
		return strings.Contains(logged.String(), "unable to open connection")
	})
	_, err := b.Publisher()
	require.Error(t, err)
	require.NoError(t, b.Close())
	require.Equal(t, 1, strings.Count(logged.String(), "unable to open connection"), logged.String())
}

// Who has less patience than another that waits for the same connection, or the
// same topic, does not wait with that.
func TestNobodyWaitsForAnothersPatience(t *testing.T) {
	t.Parallel()
	_, net := behind(t)
	b := open(t, net.addrs, config(func(c *kafka.Config) { c.StartTimeout = time.Hour }))
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer cancel()
	impatient := func() {
		t.Helper()
		first := make(chan struct{})
		for range 2 {
			waiting.Go(func() {
				first <- struct{}{}
				_ = b.Fix(ctx, "t", "g", backend.FromNow())
			})
			<-first
		}
		within, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		require.Error(t, b.Fix(within, "t", "g", backend.FromNow()), "its context has ended, or nobody answers: it does not wait for an hour")
	}
	net.down()
	impatient()
	net.up()
	_, err := b.Publisher()
	require.NoError(t, err)
	net.down()
	impatient()
}

// Whatever happens to the connections, everything that was published is
// handled, in the order of each key.
func TestFaultsInMidRun(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*network){
		"cut":  func(n *network) { n.cut() },
		"slow": func(n *network) { n.slow(30 * time.Millisecond); time.Sleep(500 * time.Millisecond); n.slow(0) },
		"down": func(n *network) { n.down(); time.Sleep(time.Second); n.up() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, net := behind(t)
			b := open(t, net.addrs, config(func(c *kafka.Config) { c.PublishTimeout = 2 * time.Second }))
			l := newLedger()
			eventually(t, "it is fixed", func() bool { return b.Fix(t.Context(), "t", "g", backend.FromNow()) == nil })
			var mu sync.Mutex
			var failures []error
			consume(t, b, backend.Consumption{Topic: "t", Group: "g", Concurrency: 8, Handle: l.handle("m", nil)}, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				failures = append(failures, err)
			})
			stop := l.keepPublishing(t, b, "t")
			eventually(t, "it has begun", func() bool { return l.count() > 50 })
			for range 3 {
				before := l.count()
				fault(net)
				eventually(t, "it goes on", func() bool { return l.count() > before })
			}
			stop()
			l.complete(t)
			mu.Lock()
			defer mu.Unlock()
			t.Logf("%d doubles, consuming failed %d times: %v", l.doubles, len(failures), errors.Join(failures...))
		})
	}
}

// While no broker answers, Publish fails in its time and says so; nothing is
// buffered that nobody waits for.
func TestPublishWhileDown(t *testing.T) {
	t.Parallel()
	_, net := behind(t)
	b := open(t, net.addrs, config(func(c *kafka.Config) { c.PublishTimeout = time.Second }))
	pub, err := b.Publisher()
	require.NoError(t, err)
	eventually(t, "it has begun", func() bool { return pub.Publish("t", wire("k", 0)) == nil })
	net.down()
	for range 2 {
		err := pub.Publish("t", wire("k", 1))
		require.Error(t, err)
		// Which comes first, the end of its time or that of another attempt to
		// connect, is open.
		require.Regexp(t, "(?s)^kafka: publish to t: .*(see that it runs|did not answer within Config.PublishTimeout)", err.Error())
	}
	net.up()
	eventually(t, "it goes on", func() bool { return pub.Publish("t", wire("k", 2)) == nil })
}

// A restarted broker has everything that it acknowledged.
func TestRestart(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("a real cluster is not ours to restart")
	}
	broker := startRestartable(t)
	b := open(t, broker.addrs, config(func(c *kafka.Config) { c.PublishTimeout = 2 * time.Second }))
	l := newLedger()
	eventually(t, "it is fixed", func() bool { return b.Fix(t.Context(), "t", "g", backend.FromNow()) == nil })
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Concurrency: 8, Handle: l.handle("m", nil)}, nil)
	stop := l.keepPublishing(t, b, "t")
	eventually(t, "it has begun", func() bool { return l.count() > 50 })
	for range 2 {
		before := l.count()
		require.NoError(t, broker.restart())
		eventually(t, "it goes on", func() bool { return l.count() > before })
	}
	stop()
	l.complete(t)
	require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
}

// When no broker answers for as long as a session lasts, Consume says so.
func TestConsumeWhileDown(t *testing.T) {
	t.Parallel()
	_, net := behind(t)
	b := open(t, net.addrs, config(func(c *kafka.Config) { c.Session = 3 * time.Second }))
	l := newLedger()
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	l.publish(t, b, "t", 1, keys(10)...)
	failed := make(chan error, 1)
	go func() {
		failed <- b.Consume(t.Context(), backend.Consumption{Topic: "t", Group: "g", Handle: l.handle("m", nil)})
	}()
	l.complete(t)
	net.down()
	err := <-failed
	require.ErrorContains(t, err, "out of its group for 3s")
	require.ErrorContains(t, err, "see that it runs")
}
