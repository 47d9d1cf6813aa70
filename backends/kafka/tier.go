package kafka

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/window"
)

const (
	// tierAhead is how many messages of a tier but the first are held: they are
	// due in the order in which they are read.
	tierAhead = 10_000
	// tierBatch is how many are brought on at once.
	tierBatch = 1000
)

// tier is the claim of a partition of the delays topic.
type tier struct {
	member *member
	wait   time.Duration // how long messages stay
	most   int           // how many are held
	ending context.Context
	end    context.CancelFunc
	ended  sync.WaitGroup
	wake   chan struct{} // something was added
	roomy  chan struct{} // something was brought on

	mu         sync.Mutex
	waiting    queue     // a heap
	unfinished []*waiter // in the order of their offsets, with some that are finished
	count      int       // of those that are not
	next       int64
	rest       note // what is noted of messages that are not read yet
}

// waiter is a message that waits in a tier.
type waiter struct {
	offset int64
	record *kgo.Record // nil once it is finished
	topic  string      // where it goes
	at     time.Time   // when it goes there
	due    time.Time   // when it leaves this tier, or is tried again
	pause  time.Duration
	failed error // why it was not brought on
}

func newTier(m *member, partition int32, at int64, n note) *tier {
	t := &tier{member: m, next: at, rest: n.from(at), most: tierAhead, wake: make(chan struct{}, 1), roomy: make(chan struct{}, 1)}
	if int(partition) < len(tiers) {
		t.wait = tiers[partition]
	}
	if t.wait == 0 {
		t.most = m.backend.config.MaxDelayed
	}
	t.ending, t.end = context.WithCancel(context.Background())
	t.ended.Go(t.run)
	return t
}

func (t *tier) add(records []*kgo.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range records {
		t.next = r.Offset + 1
		if t.rest.finished(r.Offset) {
			continue
		}
		topic, at, headers, err := addressed(r)
		if err != nil {
			t.member.backend.config.Logger.Error("kafka: what is in the topic of delayed messages is none, and is passed over",
				"topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			continue
		}
		d := &waiter{offset: r.Offset, record: &kgo.Record{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value), Headers: headers}, topic: topic, at: at, due: at}
		if leaves := r.Timestamp.Add(t.wait); t.wait > 0 && leaves.Before(at) {
			d.due = leaves
		}
		t.unfinished = append(t.unfinished, d)
		t.count++
		heap.Push(&t.waiting, d)
	}
	signal(t.wake)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (t *tier) skip(to int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next, t.rest = to, t.rest.from(to)
	t.member.move()
}

func (t *tier) room(ctx context.Context) error {
	n := t.most
	for {
		t.mu.Lock()
		count := t.count
		t.mu.Unlock()
		if count < n {
			return nil
		}
		select {
		case <-t.roomy:
			n = max(1, t.most/2) // once it is full, it has to pay to go on
		case <-t.ending.Done():
			return backend.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *tier) state() state {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := note{next: max(t.next, t.rest.next)}
	for _, d := range t.unfinished {
		if len(n.waiting) > noteBytes/2 {
			break // more are not noted anyway
		}
		if d.record != nil {
			n.waiting = append(n.waiting, window.Waiting{Position: d.offset})
		}
	}
	n.waiting = append(n.waiting, t.rest.waiting...)
	s := state{low: n.next, note: n.text(), read: t.next, next: n.next, unfinished: int64(t.count + len(t.rest.waiting))}
	if len(n.waiting) > 0 {
		s.low = n.waiting[0].Position
	}
	return s
}

func (t *tier) stop(ctx context.Context) {
	t.end()
	stopped := make(chan struct{})
	go func() {
		t.ended.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-ctx.Done():
	}
}

// run brings messages on when they are due.
func (t *tier) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for t.ending.Err() == nil {
		due, next := t.take(time.Now())
		if len(due) > 0 {
			t.bring(due)
			t.settle(due)
			continue
		}
		timer.Reset(next)
		select {
		case <-timer.C:
		case <-t.wake:
		case <-t.ending.Done():
		}
	}
}

// take takes what is due, and says how long it is until something else is.
func (t *tier) take(now time.Time) (due []*waiter, next time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.waiting) > 0 && len(due) < tierBatch {
		if wait := t.waiting[0].due.Sub(now); wait > 0 {
			return due, wait
		}
		due = append(due, heap.Pop(&t.waiting).(*waiter))
	}
	return due, time.Hour
}

// bring publishes messages where they go, or has them wait for the rest of
// their time. One that fails has no part in the fate of the others.
func (t *tier) bring(due []*waiter) {
	b, now := t.member.backend, time.Now()
	records, of := make([]*kgo.Record, 0, len(due)), make(map[*kgo.Record]*waiter, len(due))
	cannot := map[string]error{} // by topic
	for _, d := range due {
		r := &kgo.Record{Key: d.record.Key, Value: d.record.Value, Headers: d.record.Headers[:len(d.record.Headers):len(d.record.Headers)]}
		if wait := d.at.Sub(now); wait > 0 {
			b.delays.address(r, d.topic, d.at, wait)
		} else if d.failed = cannot[d.topic]; d.failed == nil {
			if r.Topic, d.failed = b.topics.ensure(b.ctx, d.topic); d.failed != nil {
				cannot[d.topic] = d.failed
			}
		}
		if d.failed == nil {
			records, of[r] = append(records, r), d
		}
	}
	for _, result := range b.write(records) {
		of[result.Record].failed = result.Err
	}
}

// settle takes in how bring went.
func (t *tier) settle(due []*waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var failed []*waiter
	for _, d := range due {
		if d.failed == nil {
			d.record = nil
			t.count--
			continue
		}
		d.pause = min(max(2*d.pause, 100*time.Millisecond), 5*time.Second)
		d.due = time.Now().Add(d.pause)
		heap.Push(&t.waiting, d)
		failed = append(failed, d)
	}
	if len(failed) > 0 && t.ending.Err() == nil {
		t.member.backend.config.Logger.Error("kafka: delayed messages could not be brought on, which is tried again",
			"messages", len(failed), "topic", failed[0].topic, "error", failed[0].failed)
	}
	if len(t.unfinished) > 2*t.count { // not every time, since there may be many
		t.unfinished = slices.DeleteFunc(t.unfinished, func(d *waiter) bool { return d.record == nil })
	}
	t.member.move()
	signal(t.roomy)
}

// queue is a heap, the first due first.
type queue []*waiter

func (d queue) Len() int      { return len(d) }
func (d queue) Swap(i, j int) { d[i], d[j] = d[j], d[i] }

func (d queue) Less(i, j int) bool {
	if c := d[i].due.Compare(d[j].due); c != 0 {
		return c < 0
	}
	return cmp.Less(d[i].offset, d[j].offset)
}

func (d *queue) Push(x any) { *d = append(*d, x.(*waiter)) }

func (d *queue) Pop() any {
	last := len(*d) - 1
	one := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return one
}
