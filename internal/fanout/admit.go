package fanout

import "context"

// Admit returns once n more messages may be appended, as [backend.Admitter]
// says, or when done is closed.
func (t *Topic) Admit(ctx context.Context, done <-chan struct{}, n int, wait bool) error {
	return t.gate.Enter(ctx, done, n, wait)
}

// passed is called, without locks, when a group may have finished something.
func (t *Topic) passed() {
	t.gate.Pass()
	t.shifted()
}

// shifted is called, without locks, when a group may have queued something that
// was under way.
func (t *Topic) shifted() {
	if t.config.Moved != nil {
		t.config.Moved()
	}
}

// backlog is what waits or is under way in the group that is furthest behind.
func (t *Topic) backlog() int64 {
	groups := *t.groups.Load()
	if len(groups) == 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.tail.Load() - t.head.first
	}
	var most int64
	for _, g := range groups {
		most = max(most, g.Lag())
	}
	return most
}
