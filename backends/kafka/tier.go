package kafka

import (
	"cmp"
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
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
	unfinished []*waiter // in the order of their offsets; the first is not finished
	count      int       // of those that are not finished
	next       int64
}

// waiter is a message that waits in a tier.
type waiter struct {
	record   *kgo.Record
	topic    string    // where it goes
	at       time.Time // when it goes there
	due      time.Time // when it leaves this tier
	finished bool
}

func newTier(m *member, partition int32, at int64) *tier {
	t := &tier{member: m, next: at, most: tierAhead, wake: make(chan struct{}, 1), roomy: make(chan struct{}, 1)}
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
		topic, at, headers, err := addressed(r)
		if err != nil {
			t.member.backend.config.Logger.Error("kafka: what is in the topic of delayed messages is none, and is passed over",
				"topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			continue
		}
		d := &waiter{record: &kgo.Record{Key: r.Key, Value: r.Value, Headers: headers}, topic: topic, at: at, due: at}
		if leaves := r.Timestamp.Add(t.wait); t.wait > 0 && leaves.Before(at) {
			d.due = leaves
		}
		d.record.Offset = r.Offset
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
	t.next = to
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
	s := state{low: t.next, next: t.next, unfinished: int64(t.count)}
	if len(t.unfinished) > 0 {
		s.low = t.unfinished[0].record.Offset
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
	for pause := time.Duration(0); t.ending.Err() == nil; {
		due, next := t.take(time.Now())
		if len(due) > 0 {
			err := t.bring(due)
			t.settle(due, err == nil)
			switch {
			case err == nil:
				pause = 0
				continue
			case t.ending.Err() != nil:
				return
			}
			pause = min(max(2*pause, 100*time.Millisecond), 5*time.Second)
			t.member.backend.config.Logger.Error("kafka: delayed messages could not be brought on, which is tried again", "messages", len(due), "error", err)
			next = pause
		}
		timer.Reset(next)
		select {
		case <-timer.C:
		case <-t.wake:
			if pause > 0 { // not before its end
				select {
				case <-timer.C:
				case <-t.ending.Done():
				}
			}
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
// their time.
func (t *tier) bring(due []*waiter) error {
	b := t.member.backend
	records := make([]*kgo.Record, len(due))
	now := time.Now()
	for i, d := range due {
		r := &kgo.Record{Key: d.record.Key, Value: d.record.Value, Headers: d.record.Headers[:len(d.record.Headers):len(d.record.Headers)]}
		if wait := d.at.Sub(now); wait > 0 {
			b.delays.address(r, d.topic, d.at, wait)
		} else {
			name, err := b.topics.ensure(b.ctx, d.topic)
			if err != nil {
				return err
			}
			r.Topic = name
		}
		records[i] = r
	}
	return b.produce(b.ctx, records)
}

// settle takes in how bring went.
func (t *tier) settle(due []*waiter, brought bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range due {
		if !brought {
			heap.Push(&t.waiting, d)
			continue
		}
		d.finished = true
		t.count--
	}
	for len(t.unfinished) > 0 && t.unfinished[0].finished {
		t.unfinished[0] = nil
		t.unfinished = t.unfinished[1:]
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
	return cmp.Less(d[i].record.Offset, d[j].record.Offset)
}

func (d *queue) Push(x any) { *d = append(*d, x.(*waiter)) }

func (d *queue) Pop() any {
	last := len(*d) - 1
	one := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return one
}
