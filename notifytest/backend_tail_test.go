package notifytest_test

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// tailing is a backend that shows what was published through it, with a promise
// of Tail broken.
type tailing struct {
	*memory.Backend
	broken string

	mu   sync.Mutex
	all  []shown
	more chan struct{} // closed when there is more
}

type shown struct {
	at time.Time
	*message.Message
}

func tails(broken string) func() any {
	return func() any { return &tailing{Backend: memory.New(small), broken: broken, more: make(chan struct{})} }
}

func (t *tailing) Publisher() (message.Publisher, error) { return t, nil }

func (t *tailing) Publish(_ string, messages ...*message.Message) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range messages {
		t.all = append(t.all, shown{time.Now(), m})
	}
	close(t.more)
	t.more = make(chan struct{})
	return nil
}

// Tail implements [backend.Tailer], but for what is broken.
func (t *tailing) Tail(ctx context.Context, _, key string, since time.Time) iter.Seq2[*message.Message, error] {
	return func(yield func(*message.Message, error) bool) {
		for next := 0; ; {
			t.mu.Lock()
			all, more := t.all, t.more
			t.mu.Unlock()
			for ; next < len(all); next++ {
				m := all[next]
				if m.at.Before(since) && t.broken != "since" || backend.Key(m.Message) != key && t.broken != "key" {
					continue
				}
				if !yield(m.Message, nil) {
					return
				}
			}
			if t.broken == "more" {
				more = nil
			}
			select {
			case <-more:
			case <-ctx.Done():
				if t.broken == "end" {
					yield(nil, ctx.Err())
				}
				return
			}
		}
	}
}
