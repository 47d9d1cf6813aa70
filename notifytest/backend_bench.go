package notifytest

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
)

// backendBench is a backend, or a store, under test.
type backendBench struct {
	testing.TB
	features Features
	subject  any
	ctx      context.Context // of the calls that the check makes
	over     chan struct{}   // closed when the check is, so that its handlers return

	publisher message.Publisher
	consumer  backend.Consumer
	// subscriptions counts those of the consumer, if it is ours.
	subscriptions *atomic.Int64
}

func newBackendBench(tb testing.TB, f Features, subject any) *backendBench {
	tb.Helper()
	b := &backendBench{TB: tb, features: f, subject: subject, over: make(chan struct{})}
	b.features.Patience, b.features.Quiet = orTime(f.Patience, time.Minute), orTime(f.Quiet, 200*time.Millisecond)
	if f.Synctest {
		b.features.Patience, b.features.Quiet = 3*time.Minute, time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	b.ctx = ctx
	tb.Cleanup(func() {
		defer cancel()
		closer, ok := subject.(io.Closer)
		if !ok {
			return
		}
		for range 2 {
			b.soon("Close", func() {
				if err := closer.Close(); err != nil {
					b.Errorf("Close: %v", err)
				}
			})
		}
	})
	carrier, ok := subject.(backend.Backend)
	if !ok {
		return b
	}
	var err error
	b.publisher, err = carrier.Publisher()
	b.must(err, "Publisher")
	if b.consumer, ok = subject.(backend.Consumer); !ok {
		b.subscriptions = new(atomic.Int64)
		b.consumer = notify.FromWatermill(b.publisher, func(group string) (message.Subscriber, error) {
			sub, err := carrier.Subscriber(group)
			return counted{sub, b.subscriptions}, err
		}).(backend.Consumer)
	}
	return b
}

// counted counts the subscriptions that are there.
type counted struct {
	message.Subscriber
	n *atomic.Int64
}

func (c counted) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	messages, err := c.Subscriber.Subscribe(ctx, topic)
	c.n.Add(1)
	return messages, err
}

// joining is called before somebody begins to consume, and what it returns
// afterwards: that waits until he gets what is published.
func (b *backendBench) joining() (joined func()) {
	switch {
	case b.features.Kept:
		return func() {}
	case b.subscriptions == nil:
		return b.quiet
	}
	before := b.subscriptions.Load()
	return func() {
		b.Helper()
		b.eventually("who consumes has subscribed", func() bool { return b.subscriptions.Load() > before })
	}
}

func orTime(d, standard time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return standard
}

// must fails the test if a call failed.
func (b *backendBench) must(err error, what string) {
	b.Helper()
	if err != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

// mustBe fails the test if a call did not fail as it should.
func (b *backendBench) mustBe(err, want error, what string) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("%s: the error is %v, and does not wrap %q", what, err, want)
	}
}

// soon calls f, and fails the test if it does not return soon.
func (b *backendBench) soon(what string, f func()) {
	b.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	late := time.NewTimer(b.features.Patience)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		b.Errorf("%s had not returned after %v", what, b.features.Patience)
	}
}

// eventually waits until it is so, and fails the test if that takes too long.
func (b *backendBench) eventually(what string, so func() bool) {
	b.Helper()
	if !b.comesTrue(so) {
		b.Fatalf("after %v, not yet: %s", b.features.Patience, what)
	}
}

func (b *backendBench) comesTrue(so func() bool) bool {
	for end := time.Now().Add(b.features.Patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// quiet waits until everything that is under way has happened.
func (b *backendBench) quiet() {
	if b.features.Synctest {
		synctest.Wait()
	}
	time.Sleep(b.features.Quiet)
}

// wire is the n-th message of a key.
func wire(key string, n int) *message.Message {
	m := message.NewMessage(key+"/"+strconv.Itoa(n), []byte(strconv.Itoa(n)))
	if key != "" {
		m.Metadata.Set(backend.KeyMetadata, key)
	}
	return m
}

// publish publishes the messages from <= n < to of the key, one by one.
func (b *backendBench) publish(topic, key string, from, to int) {
	b.Helper()
	for n := from; n < to; n++ {
		b.must(b.publisher.Publish(topic, wire(key, n)), "Publish")
	}
}

// consume consumes until the returned function is called, which waits for it,
// or the check is over.
func (b *backendBench) consume(c backend.Consumption) (leave func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	joined := b.joining()
	go func() { ended <- b.consumer.Consume(ctx, c) }()
	leave = sync.OnceFunc(func() {
		cancel()
		late := time.NewTimer(b.features.Patience)
		defer late.Stop()
		select {
		case err := <-ended:
			if err != nil {
				b.Errorf("Consume: %v", err)
			}
		case <-late.C:
			b.Errorf("Consume had not returned %v after its context ended", b.features.Patience)
		}
	})
	b.Cleanup(func() {
		b.end()
		leave()
	})
	joined()
	return leave
}

// end has the handlers of the check return.
func (b *backendBench) end() {
	select {
	case <-b.over:
	default:
		close(b.over)
	}
}

// hold blocks a handler until the gate opens or the check is over.
func (b *backendBench) hold(gate <-chan struct{}) {
	select {
	case <-gate:
	case <-b.over:
	}
}

// fix gives the group a position, where there are positions.
func (b *backendBench) fix(topic, group string, from backend.Start) {
	b.Helper()
	if p, ok := b.subject.(backend.Positioner); ok {
		b.must(p.Fix(b.ctx, topic, group, from), "Fix")
	}
}
