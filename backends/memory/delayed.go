package memory

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// PublishAt implements [backend.DelayedPublisher]. Messages become visible in
// the order of their times, and of publishing where these are equal. Beyond
// [Config.MaxDelayed] the error wraps backend.ErrOverloaded, and nothing was
// published.
func (b *Backend) PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error {
	out := make([]backend.Publication, len(messages))
	for i, m := range messages {
		out[i] = backend.Publication{Topic: topic, Message: m, At: at}
	}
	err := ctx.Err()
	if err == nil {
		err = b.post(out)
	}
	if err != nil {
		return fmt.Errorf("memory: publish to %s at a time: %w", topic, err)
	}
	return nil
}

// post publishes messages now or at their times, all or none.
func (b *Backend) post(out []backend.Publication) error {
	for i, p := range out {
		switch {
		case p.Topic == "":
			return fmt.Errorf("publication %d: the topic is empty", i)
		case p.Entry() == nil:
			return fmt.Errorf("publication %d: the message is missing", i)
		}
	}
	if b.closed.Load() {
		return backend.ErrClosed
	}
	return b.delayed.post(out)
}

// delayed holds messages until their times.
type delayed struct {
	backend *Backend

	mu    sync.Mutex
	queue publications
	seq   uint64
	timer *time.Timer // for the first of queue
	over  bool
}

func (d *delayed) post(out []backend.Publication) error {
	if !slices.ContainsFunc(out, func(p backend.Publication) bool { return !p.At.IsZero() }) {
		d.publish(time.Now(), out)
		return nil
	}
	now := time.Now()
	later := 0
	for _, p := range out {
		if p.At.After(now) {
			later++
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return backend.ErrClosed
	}
	d.flush(now)
	if later > 0 && len(d.queue)+later > d.backend.config.MaxDelayed {
		return fmt.Errorf("%d messages wait for their time: %w", len(d.queue), backend.ErrOverloaded)
	}
	var first *publication
	if len(d.queue) > 0 {
		first = d.queue[0]
	}
	for _, p := range out {
		if p.At.After(now) {
			d.seq++
			heap.Push(&d.queue, &publication{p.At, p.Topic, own(p), d.seq})
		} else {
			d.backend.topic(p.Topic).Append(now, own(p))
		}
	}
	if len(d.queue) > 0 && d.queue[0] != first {
		d.arm()
	}
	return nil
}

// publish appends messages to their topics.
func (d *delayed) publish(now time.Time, out []backend.Publication) {
	for _, p := range out {
		d.backend.topic(p.Topic).Append(now, own(p))
	}
}

// flush appends what is due. mu is held.
func (d *delayed) flush(now time.Time) {
	for len(d.queue) > 0 && !d.queue[0].at.After(now) {
		p := heap.Pop(&d.queue).(*publication)
		d.backend.topic(p.topic).Append(now, p.entry)
	}
}

// arm sets the timer for the first message. mu is held.
func (d *delayed) arm() {
	if len(d.queue) == 0 || d.over {
		return
	}
	wait := time.Until(d.queue[0].at)
	if d.timer == nil {
		d.timer = time.AfterFunc(wait, d.ring)
	} else {
		d.timer.Reset(wait)
	}
}

func (d *delayed) ring() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return
	}
	d.flush(time.Now())
	d.arm()
}

func (d *delayed) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	d.queue = nil
	if d.timer != nil {
		d.timer.Stop()
	}
}

// own returns an entry that the caller cannot change: the value, which nobody
// changes, or a copy of the message.
func own(p backend.Publication) backend.Entry {
	entry := p.Entry()
	if local, ok := entry.(backend.Local); ok {
		return local
	}
	return backend.EntryOf(p.Message.Copy())
}

// publication is an entry with its place among those of the same time.
type publication struct {
	at    time.Time
	topic string
	entry backend.Entry
	seq   uint64
}

// publications is a heap, the earliest first.
type publications []*publication

func (p publications) Len() int      { return len(p) }
func (p publications) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

func (p publications) Less(i, j int) bool {
	if c := p[i].at.Compare(p[j].at); c != 0 {
		return c < 0
	}
	return p[i].seq < p[j].seq
}

func (p *publications) Push(x any) { *p = append(*p, x.(*publication)) }

func (p *publications) Pop() any {
	last := len(*p) - 1
	pub := (*p)[last]
	(*p)[last] = nil
	*p = (*p)[:last]
	return pub
}
