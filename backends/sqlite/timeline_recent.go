package sqlite

import "sync"

// recents is how many entries of the timeline are remembered.
const recents = 512

// recent remembers the entries that were added to last, since the next event of
// a notification often comes soon. What it says may be outdated: the writer
// looks at the version.
type recent struct {
	mu    sync.Mutex
	byID  map[string]stored
	order [recents]string // a ring of the IDs that are in byID, or were
	next  int
}

func (r *recent) find(id string) (stored, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.byID[id]
	return h, ok
}

func (r *recent) keep(id string, h stored) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = map[string]stored{}
	}
	if _, known := r.byID[id]; !known {
		delete(r.byID, r.order[r.next])
		r.order[r.next] = id
		r.next = (r.next + 1) % recents
	}
	r.byID[id] = h
}

func (r *recent) drop(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, id)
}
