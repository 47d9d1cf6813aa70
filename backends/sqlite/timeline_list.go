package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// List implements [timeline.Store].
func (s *timelines) List(ctx context.Context, q timeline.Query) (timeline.Page, error) {
	q, after, err := q.Resolve()
	if err != nil {
		return timeline.Page{}, err
	}
	var page timeline.Page
	opened, err := s.backend.enter(ctx)
	if err == nil {
		defer s.backend.leave()
		page, err = s.list(ctx, opened, q, after)
	}
	if err != nil {
		return timeline.Page{}, fmt.Errorf("sqlite: list the timeline: %w", err)
	}
	return page, nil
}

// list reads all of a page at one moment.
func (s *timelines) list(ctx context.Context, opened *store, q timeline.Query, after timeline.Position) (page timeline.Page, err error) {
	tx, err := opened.file.read.BeginTx(ctx, nil)
	if err != nil {
		return page, err
	}
	defer tx.Rollback()
	query, args := listQuery(q, after)
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return page, err
	}
	defer rows.Close()
	var found []timeline.Position
	for rows.Next() {
		var id string
		var at sql.NullString
		if err := rows.Scan(&id, &at); err != nil {
			return page, err
		}
		found = append(found, timeline.Position{At: moment(at), ID: id})
	}
	if err := rows.Err(); err != nil {
		return page, err
	}
	for _, place := range found[:min(len(found), q.Limit)] {
		h, err := s.read(ctx, tx, place.ID)
		if err != nil {
			return page, err
		}
		entry := h.entry()
		if h.unreadable != nil { // which may have said where it belongs
			entry.At, entry.Status.NotificationID = place.At, place.ID
		}
		page.Entries = append(page.Entries, entry)
	}
	if len(found) > q.Limit {
		page.Next = page.Entries[q.Limit-1].Position().Cursor()
	}
	return page, nil
}

// listQuery finds the page's entries, and one more if there is one.
func listQuery(q timeline.Query, after timeline.Position) (query string, args []any) {
	where := []string{"TRUE"}
	and := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	from, list := "timeline t", "t"
	// A label before a channel, which nearly all may have gone over, and that before
	// the tenant without a name, which all may be of.
	byTag := q.RecipientID == "" && (q.Tenant == "" || len(q.Labels) > 0)
	for _, tag := range slices.Backward(q.Tags()) {
		if byTag { // its index is in the list's order
			from, list = "timeline_tags g CROSS JOIN timeline t ON t.notification = g.notification", "g"
			and("g.name = ? AND g.value = ?", tag.Name, tag.Value)
			byTag = false
			continue
		}
		and("EXISTS (SELECT 1 FROM timeline_tags x WHERE x.name = ? AND x.value = ? AND x.at = t.at AND x.notification = t.notification)",
			tag.Name, tag.Value)
	}
	if q.RecipientID != "" {
		and("t.recipient = ?", q.RecipientID)
	}
	switch {
	case q.AllTenants:
	case list == "t" && q.RecipientID == "":
		and("t.tenant = ?", q.Tenant)
	default: // not by its index, whose first column the planner takes for as good as any
		and("+t.tenant = ?", q.Tenant)
	}
	if q.Category != "" {
		and("t.category = ?", q.Category)
	}
	if len(q.States) > 0 {
		states, _ := json.Marshal(q.States) // strings always have a form
		and("t.state IN (SELECT value FROM json_each(?))", string(states))
	}
	if q.Settled != nil {
		and("t.settled = ?", *q.Settled)
	}
	if !q.From.IsZero() {
		and(list+".at >= ?", text(q.From))
	}
	if !q.Until.IsZero() {
		and(list+".at < ?", text(q.Until))
	}
	if !after.IsZero() {
		and("("+list+".at, "+list+".notification) < (?, ?)", text(after.At), after.ID)
	}
	return fmt.Sprintf("SELECT t.notification, %[3]s.at FROM %[1]s WHERE %[2]s ORDER BY %[3]s.at DESC, %[3]s.notification DESC LIMIT ?",
		from, strings.Join(where, " AND "), list), append(args, q.Limit+1)
}
