package kafka_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

// ledger is what was published and what a group's handlers, in all of its
// members, have seen of it.
type ledger struct {
	mu        sync.Mutex
	sent      map[string]int  // by key: messages 0 to n-1 were published
	next      map[string]int  // by key: the next that nobody has finished
	inHand    map[string]bool // by key
	finished  int
	doubles   int
	disorder  []string
	busiest   int
	atOnce    int
	perMember map[string]int
}

func newLedger() *ledger {
	return &ledger{sent: map[string]int{}, next: map[string]int{}, inHand: map[string]bool{}, perMember: map[string]int{}}
}

// publish publishes the next n messages of each key, and tries again after
// errors, so that some may be there twice.
func (l *ledger) publish(t *testing.T, b *kafka.Backend, topic string, n int, keys ...string) {
	t.Helper()
	pub, err := b.Publisher()
	require.NoError(t, err)
	for range n {
		for _, key := range keys {
			l.mu.Lock()
			m := wire(key, l.sent[key])
			l.mu.Unlock()
			require.Eventually(t, func() bool { return pub.Publish(topic, m) == nil }, time.Minute, time.Millisecond)
			l.mu.Lock()
			l.sent[key]++
			l.mu.Unlock()
		}
	}
}

// keepPublishing publishes messages of 20 keys until the returned function is
// called.
func (l *ledger) keepPublishing(t *testing.T, b *kafka.Backend, topic string) (stop func()) {
	t.Helper()
	over := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				l.publish(t, b, topic, 1, keys(20)...)
			}
		}
	})
	stop = sync.OnceFunc(func() {
		close(over)
		publishing.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// handle is the Handle of a member.
func (l *ledger) handle(member string, work func(key string, n int) error) func(context.Context, *backend.Batch) (int, error) {
	return func(_ context.Context, b *backend.Batch) (done int, err error) {
		for b.Next() {
			m := b.Message()
			key := backend.Key(m)
			n, err := strconv.Atoi(string(m.Payload))
			if err != nil {
				return done, err
			}
			l.begin(member, key, n)
			if work != nil {
				err = work(key, n)
			}
			l.end(key, n, err)
			if err != nil {
				return done, err
			}
			done++
		}
		return done, nil
	}
}

func (l *ledger) begin(member, key string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.perMember[member]++
	l.atOnce++
	l.busiest = max(l.busiest, l.atOnce)
	if l.inHand[key] {
		l.disorder = append(l.disorder, fmt.Sprintf("%s: two in hand", key))
	}
	l.inHand[key] = true
	switch next := l.next[key]; {
	case n < next:
		l.doubles++
	case n > next:
		l.disorder = append(l.disorder, fmt.Sprintf("%s: %d came when %d was next", key, n, next))
	}
}

func (l *ledger) end(key string, n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.atOnce--
	l.inHand[key] = false
	if err == nil && n == l.next[key] {
		l.next[key]++
		l.finished++
	}
}

// complete waits until everything that was published is finished.
func (l *ledger) complete(t *testing.T) {
	t.Helper()
	if !waited(time.Minute, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for key, n := range l.sent {
			if l.next[key] < n {
				return len(l.disorder) > 0
			}
		}
		return true
	}) {
		l.mu.Lock()
		defer l.mu.Unlock()
		t.Fatalf("not everything is finished: of %v, %v", l.sent, l.next)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(t, l.disorder)
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.finished
}

// waited waits until it is so.
func waited(most time.Duration, so func() bool) bool {
	for end := time.Now().Add(most); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	require.True(t, waited(time.Minute, so), what)
}

// keys are n keys.
func keys(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = "key-" + strconv.Itoa(i)
	}
	return all
}

// consume consumes until the returned function is called, which waits for it.
// When the consumption fails, it is tried again, as a Notifier does; failures
// gets the errors, if it is not nil.
func consume(t *testing.T, b *kafka.Backend, c backend.Consumption, failures func(error)) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			err := b.Consume(ctx, c)
			if err != nil && failures != nil {
				failures(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	leave = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(leave)
	return leave
}
