package sqlite

import "sync"

// recents is how many values are remembered.
const recents = 512

// recent remembers the values that were written last, since somebody often
// asks for them soon. What it says may be outdated: values have a version that
// the database is asked for.
type recent[V any] struct {
	mu    sync.Mutex
	byID  map[string]V
	order [recents]string // a ring of the IDs that are in byID, or were
	next  int
}

func (r *recent[V]) find(id string) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.byID[id]
	return v, ok
}

func (r *recent[V]) keep(id string, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = map[string]V{}
	}
	if _, known := r.byID[id]; !known {
		delete(r.byID, r.order[r.next])
		r.order[r.next] = id
		r.next = (r.next + 1) % recents
	}
	r.byID[id] = v
}

func (r *recent[V]) drop(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, id)
}
