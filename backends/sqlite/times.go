package sqlite

import (
	"database/sql"
	"time"
)

// layout has a fixed width, so that texts are in the order of their times.
const layout = "2006-01-02T15:04:05.000000Z"

var (
	earliest = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// text is t as it is stored, down to the microsecond.
func text(t time.Time) string {
	switch t = t.UTC(); {
	case t.Before(earliest):
		t = earliest
	case t.After(latest):
		t = latest
	}
	return t.Format(layout)
}

// notBefore is text, up to the microsecond: what waits must not come early.
func notBefore(t time.Time) string {
	if down := t.Truncate(time.Microsecond); down.Before(t) {
		t = down.Add(time.Microsecond)
	}
	return text(t)
}

// optional is notBefore, or NULL for the zero time.
func optional(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return notBefore(t)
}

// moment reads what text wrote; NULL, and what is no time, is zero.
func moment(s sql.NullString) time.Time {
	t, _ := time.Parse(layout, s.String)
	return t
}
