package notify

import "sync"

// outputs counts what an observer was seen to raise: events by their type, and
// under "" the notifications that it sent. There are as many as the program has
// types of events.
type outputs struct {
	mu   sync.Mutex
	seen map[string]int64
}

func (o *outputs) add(kind string, count int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil {
		o.seen = map[string]int64{}
	}
	o.seen[kind] += int64(count)
}

func (o *outputs) count(kind string) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[kind]
}
