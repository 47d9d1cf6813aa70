package sqlite

import "sync"

// broadcast wakes everybody who waits for something to happen.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{} // nil: nobody waits
}

// next is closed when it happens the next time. Who waits has to look after
// having called it.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) broadcast() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
