package notify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// newerPause is how long work that only a newer version of this program
// understands waits, before it is read again, by whoever reads it then.
const newerPause = 30 * time.Second

// leaveToNewer puts work back as it is, for a process of a newer version (3). A
// backend that cannot hold it keeps it where it is, unacknowledged: the cause is
// then the error.
func (p *pipeline) leaveToNewer(ctx context.Context, topic string, e backend.Entry, cause error) error {
	if n := p.newer.add(topic, time.Now()); n > 0 {
		p.log.WarnContext(ctx, "notify: work of a newer version waits for a process of that version", "topic", topic, "times", n, "error", cause)
	}
	if p.ledger.delayed == nil {
		return cause
	}
	m, err := e.Wire()
	if err != nil {
		return fmt.Errorf("notify: encode work: %w", err)
	}
	if err := p.ledger.delayed.PublishAt(ctx, time.Now().Add(newerPause), topic, m.Copy()); err != nil {
		return fmt.Errorf("notify: put back work of a newer version: %w", err)
	}
	return nil
}

// tally counts what happens in each of a few topics, so that it is told once in a
// while only.
type tally struct {
	mu     sync.Mutex // guards the following
	topics map[string]*tallied
}

type tallied struct {
	count int
	quiet time.Time // nothing is told before
}

// tellEvery is how long it is silent about a topic.
const tellEvery = time.Minute

// add counts one, and returns how many there are to be told of: 0 is not yet.
func (t *tally) add(topic string, now time.Time) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.topics == nil {
		t.topics = map[string]*tallied{}
	}
	of := t.topics[topic]
	if of == nil {
		of = &tallied{}
		t.topics[topic] = of
	}
	of.count++
	if now.Before(of.quiet) {
		return 0
	}
	n, of.count, of.quiet = of.count, 0, now.Add(tellEvery)
	return n
}
