package notify

import (
	"slices"

	"github.com/seed-6c01d079/notify/backend"
)

// entry is one decided event or work item.
type entry struct {
	seq       int64
	event     *decided
	work      *work
	published bool
}

// maxHistory bounds the published events that a record keeps.
const maxHistory = 256

// unpublished tells whether the outbox has something to publish.
func (r *record) unpublished() bool {
	for i := range r.Outbox {
		if !r.Outbox[i].published {
			return true
		}
	}
	return false
}

func (r *record) anyUnpublished(of map[int64]bool) bool {
	for i := range r.Outbox {
		if !r.Outbox[i].published && of[r.Outbox[i].seq] {
			return true
		}
	}
	return false
}

// markPublished marks exactly the entries that were published.
func (r *record) markPublished(published func(seq int64) bool) {
	kept := r.Outbox[:0]
	for _, e := range r.Outbox {
		e.published = e.published || published(e.seq)
		if !e.published || e.event != nil {
			kept = append(kept, e)
		}
	}
	clear(r.Outbox[len(kept):])
	r.Outbox = kept
	for i := 0; len(r.Outbox) > maxHistory && i < len(r.Outbox); {
		if r.Outbox[i].published {
			r.Outbox = slices.Delete(r.Outbox, i, i+1)
		} else {
			i++
		}
	}
}

// withoutDelayed takes the work for later out of what the record publishes: it
// is left to the sweep.
func (r *record) withoutDelayed(out []backend.Publication) []backend.Publication {
	return slices.DeleteFunc(out, func(p backend.Publication) bool {
		r.SweepAt = earlier(r.SweepAt, p.At)
		return !p.At.IsZero()
	})
}
