package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/suppression"
)

// Suppression returns the store of the suppression list:
//
//	n.Attach(suppression.New(b.Suppression()))
//
// It forgets no key, since that would send to somebody who must not get anything:
// at [Config.MaxSuppressions] it refuses new keys, with [notify.ErrOverloaded].
// What was lifted counts, since an older event may come again. Find and List of a
// tenant or of a recipient cost what they return; List of a channel in all tenants
// goes through all entries.
func (b *Backend) Suppression() suppression.Store { return &suppressions{b} }

type suppressions struct{ backend *Backend }

var _ suppression.Store = (*suppressions)(nil)

// use is [webhooks.use].
func (l *suppressions) use(ctx context.Context, what string, f func(*store) error) error {
	return (*webhooks)(l).use(ctx, what, f)
}

// Set implements [suppression.Store].
func (l *suppressions) Set(ctx context.Context, e suppression.Entry) error {
	if err := e.Check(); err != nil {
		return err
	}
	return l.use(ctx, "keep a suppression", func(s *store) error {
		return s.do(ctx, func(t *tx) error { return t.suppress(e) })
	})
}

const selectSuppression = "SELECT tenant, channel, recipient, hash, scope, reason, lifted, at, event FROM suppressions"

func (t *tx) suppress(e suppression.Entry) error {
	known, err := scanSuppression(func(into ...any) error {
		return t.row(selectSuppression+" WHERE tenant = ? AND channel = ? AND recipient = ? AND hash = ? AND scope = ?",
			[]any{e.Tenant, string(e.Channel), e.RecipientID, e.AddressHash, e.Scope}, into...)
	})
	isNew := isNoRows(err)
	switch {
	case err != nil && !isNew:
		return err
	case !isNew && !e.Replaces(known):
		return nil
	case isNew && t.store.suppressions >= t.store.config.MaxSuppressions:
		return fmt.Errorf("the list has %d entries, the Config's MaxSuppressions: %w", t.store.suppressions, notify.ErrOverloaded)
	}
	_, err = t.exec(`INSERT INTO suppressions (tenant, channel, recipient, hash, scope, reason, lifted, at, event) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET reason = excluded.reason, lifted = excluded.lifted, at = excluded.at, event = excluded.event`,
		e.Tenant, string(e.Channel), e.RecipientID, e.AddressHash, e.Scope, string(e.Reason), e.Lifted, text(e.At), e.EventID)
	if err == nil && isNew {
		t.count(&t.store.suppressions, 1)
	}
	return err
}

func scanSuppression(scan func(...any) error) (e suppression.Entry, err error) {
	var at sql.NullString
	err = scan(&e.Tenant, &e.Channel, &e.RecipientID, &e.AddressHash, &e.Scope, &e.Reason, &e.Lifted, &at, &e.EventID)
	e.At = moment(at)
	return e, err
}

// As the indexes have them.
const (
	ofRecipient = " WHERE lifted = 0 AND recipient != '' AND recipient = ? AND tenant = ?"
	ofHash      = " WHERE lifted = 0 AND hash != '' AND hash = ? AND tenant = ?"
)

// Find implements [suppression.Store].
func (l *suppressions) Find(ctx context.Context, tenant string, subjects ...suppression.Subject) (found []suppression.Entry, err error) {
	err = l.use(ctx, "find suppressions", func(s *store) error {
		for _, of := range subjects {
			where, value := ofRecipient, of.RecipientID
			if value == "" {
				where, value = ofHash, of.AddressHash
			}
			err := s.reads.each(ctx, selectSuppression+where, []any{value, tenant}, func(scan func(...any) error) (bool, error) {
				e, err := scanSuppression(scan)
				if e.Subject == of {
					found = append(found, e)
				}
				return true, err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// List implements [suppression.Store].
func (l *suppressions) List(ctx context.Context, q suppression.Query) (page suppression.Page, err error) {
	q, after, _, err := q.Resolve()
	if err != nil {
		return page, err
	}
	err = l.use(ctx, "list suppressions", func(s *store) error {
		if !q.AllTenants && after.Tenant > q.Tenant { // the Next of another query
			return nil
		}
		query, args := suppressionsQuery(q, after)
		return s.reads.each(ctx, query, args, func(scan func(...any) error) (bool, error) {
			if len(page.Entries) == q.Limit {
				page.Next = page.Entries[q.Limit-1].Cursor()
				return false, nil
			}
			e, err := scanSuppression(scan)
			page.Entries = append(page.Entries, e)
			return true, err
		})
	})
	if err != nil {
		return suppression.Page{}, err
	}
	return page, nil
}

// suppressionsQuery finds the page's entries, and one more if there is one.
func suppressionsQuery(q suppression.Query, after suppression.Key) (query string, args []any) {
	query = selectSuppression + " WHERE lifted = 0"
	and := func(condition string, values ...any) {
		query, args = query+" AND "+condition, append(args, values...)
	}
	if q.RecipientID != "" {
		and("recipient != '' AND recipient = ?", q.RecipientID)
	}
	if q.Channel != "" {
		and("channel = ?", string(q.Channel))
	}
	rest := []any{string(after.Channel), after.RecipientID, after.AddressHash, after.Scope}
	switch {
	case q.AllTenants:
		and("(tenant, channel, recipient, hash, scope) > (?, ?, ?, ?, ?)", append([]any{after.Tenant}, rest...)...)
	case after.Tenant < q.Tenant:
		and("tenant = ?", q.Tenant)
	default: // so that the index is entered where the page begins
		and("tenant = ? AND (channel, recipient, hash, scope) > (?, ?, ?, ?)", append([]any{q.Tenant}, rest...)...)
	}
	return query + " ORDER BY tenant, channel, recipient, hash, scope LIMIT ?", append(args, q.Limit+1)
}
