package sqlite

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"time"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// Claim implements [webhook.Store].
func (w *webhooks) Claim(ctx context.Context, c webhook.Claiming) (claims []webhook.Claim, next time.Time, err error) {
	err = w.use(ctx, "claim webhook messages", func(s *store) error {
		// The writer need not know of who finds nothing.
		var ready sql.NullString
		err := s.reads.row(readyQuery, []any{c.Lane}, &ready)
		if isNoRows(err) {
			return nil
		}
		if err != nil || c.Limit < 1 || ready.String > text(c.Now) {
			next = moment(ready)
			return err
		}
		return s.do(ctx, func(t *tx) (err error) {
			claims, next, err = t.claim(c)
			return err
		})
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return claims, next, nil
}

const (
	readyWhere = " WHERE lane = ? AND ready IS NOT NULL ORDER BY ready LIMIT 1"
	readyQuery = "SELECT ready FROM webhook_endpoints" + readyWhere

	firstQuery = `SELECT message, w.attempts, id, type, tenant, at, body
		FROM webhook_waiting w JOIN webhook_messages m ON m.number = message WHERE endpoint = ? `
	firstInOrder = firstQuery + "ORDER BY message LIMIT 1"
	firstDue     = firstQuery + "ORDER BY due, message LIMIT 1"
)

// claim takes one delivery after the other, always of the endpoint that is ready
// the longest: what it is ready for depends on what it has got.
func (t *tx) claim(c webhook.Claiming) (claims []webhook.Claim, next time.Time, err error) {
	now, until := text(c.Now), notBefore(c.Until)
	for {
		var h hook
		err := t.row(selectEndpoint+readyWhere, []any{c.Lane}, h.into()...)
		if isNoRows(err) {
			return claims, time.Time{}, nil
		}
		if err != nil {
			return nil, time.Time{}, err
		}
		if len(claims) >= c.Limit || h.ready.String > now {
			return claims, moment(h.ready), nil
		}
		if h.decode(); h.unreadable != nil {
			if err := t.setAside(&h, c.Now); err != nil {
				return nil, time.Time{}, err
			}
			continue
		}
		claim, err := t.claimOf(&h, now, until)
		if err != nil {
			return nil, time.Time{}, err
		}
		claim.Until = c.Until
		claims = append(claims, claim)
	}
}

// setAside disables an endpoint that cannot be read, so that it harms no other.
func (t *tx) setAside(h *hook, now time.Time) error {
	log, id, problem := t.store.log, h.ID, h.unreadable
	t.onCommit(func() {
		log.Warn("notify: a webhook endpoint is not as it was stored, and is disabled; put it anew, and enable it", "endpoint", id, "error", problem)
	})
	h.Switch(webhook.DisabledUnreadable, now)
	return t.saveStatus(h)
}

func (t *tx) claimOf(h *hook, now, until string) (webhook.Claim, error) {
	// Leases that are over.
	_, err := t.exec("UPDATE webhook_waiting SET token = NULL WHERE endpoint = ? AND token IS NOT NULL AND due <= ?", h.number, now)
	if err != nil {
		return webhook.Claim{}, err
	}
	query := firstDue
	if h.Ordered {
		query = firstInOrder
	}
	// At random: an endpoint that is deleted and put again begins with nothing, and
	// a claim from before must not be taken for one of its own.
	claim := webhook.Claim{Status: h.Status, Token: rand.Int64()}
	var number int64
	var at sql.NullString
	m := &claim.Message
	if err := t.row(query, []any{h.number}, &number, &claim.Number, &m.ID, &m.Type, &m.Tenant, &at, &m.Body); err != nil {
		return claim, err
	}
	claim.Number++
	m.At = moment(at)
	if _, err := t.exec("UPDATE webhook_waiting SET token = ?, due = ? WHERE endpoint = ? AND message = ?", claim.Token, until, h.number, number); err != nil {
		return claim, err
	}
	return claim, t.saveStatus(h)
}

// Finish implements [webhook.Store].
func (w *webhooks) Finish(ctx context.Context, c webhook.Claim, o webhook.Outcome) error {
	return w.use(ctx, "finish a webhook message", func(s *store) error {
		return s.do(ctx, func(t *tx) error { return t.finishClaim(c, o) })
	})
}

func (t *tx) finishClaim(c webhook.Claim, o webhook.Outcome) error {
	h, err := t.endpointBy("id", c.Status.ID)
	if isNoRows(err) || err == nil && h.Tenant != c.Status.Tenant {
		return endpointNotFound(c.Status.ID)
	}
	if err != nil {
		return err
	}
	held, err := t.endLease(h.number, c, o.Next)
	repeated := false
	if err == nil && !held {
		repeated, err = t.noted(h.number, &o.Attempt)
	}
	if err != nil || repeated {
		return err
	}
	if err := t.note(&h, &o.Attempt); err != nil {
		return err
	}
	if held {
		if o.Next.IsZero() {
			h.Pending--
		}
		h.Finish(c, o)
	}
	return t.saveStatus(&h)
}

// endLease ends the claim's lease, and tells whether it still held.
func (t *tx) endLease(endpoint int64, c webhook.Claim, next time.Time) (held bool, err error) {
	const which = " WHERE endpoint = ? AND message = (SELECT number FROM webhook_messages WHERE id = ?) AND token = ?"
	var n int64
	if next.IsZero() {
		n, err = t.exec("DELETE FROM webhook_waiting"+which, endpoint, c.Message.ID, c.Token)
	} else {
		n, err = t.exec("UPDATE webhook_waiting SET attempts = ?, due = ?, token = NULL"+which, c.Number, notBefore(next), endpoint, c.Message.ID, c.Token)
	}
	return n > 0, err
}
