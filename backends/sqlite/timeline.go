package sqlite

import (
	"time"
)

// expireTimeline deletes the next entries of the timeline that are too old or
// too many, and returns how many.
func (t *tx) expireTimeline(now time.Time) (int, error) {
	c := t.store.config
	n, err := t.exec(`DELETE FROM timeline WHERE notification IN
		(SELECT notification FROM timeline WHERE at < ? ORDER BY at LIMIT ?)`, text(now.Add(-c.TimelineFor)), drops)
	t.count(&t.store.timelines, -int(n))
	if surplus := t.store.timelines - c.MaxTimeline; err == nil && surplus > 0 {
		var more int64
		more, err = t.exec("DELETE FROM timeline WHERE notification IN (SELECT notification FROM timeline ORDER BY at LIMIT ?)", min(surplus, drops))
		t.count(&t.store.timelines, -int(more))
		n += more
	}
	return int(n), err
}
