package sqlite

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// note adds to the endpoint's ledger; saveStatus has to follow.
func (t *tx) note(h *hook, a *webhook.Attempt) error {
	h.made++
	_, err := t.exec(`INSERT INTO webhook_attempts (endpoint, n, message, type, number, at, took, status, failure, next)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		h.number, h.made, a.MessageID, a.Type, a.Number, text(a.At), int64(a.Took), a.Status, string(a.Failure), known(a.Next))
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM webhook_attempts WHERE endpoint = ?1 AND n IN
		(SELECT n FROM webhook_attempts WHERE endpoint = ?1 AND n <= ?2 ORDER BY n LIMIT ?3)`,
		h.number, h.made-int64(t.store.config.MaxWebhookAttempts), drops)
	return err
}

// noted tells whether the ledger has the attempt already.
func (t *tx) noted(endpoint int64, a *webhook.Attempt) (there bool, err error) {
	err = t.row(`SELECT EXISTS (SELECT 1 FROM webhook_attempts WHERE endpoint = ? AND message = ? AND number = ? AND at = ? AND took = ?
		AND status = ? AND failure = ?)`,
		[]any{endpoint, a.MessageID, a.Number, text(a.At), int64(a.Took), a.Status, string(a.Failure)}, &there)
	return there, err
}

// Attempts implements [webhook.Store].
func (w *webhooks) Attempts(ctx context.Context, q webhook.AttemptQuery) (page webhook.AttemptPage, err error) {
	q, before, err := q.Resolve()
	if err != nil {
		return page, err
	}
	err = w.use(ctx, "read the ledger of webhooks", func(s *store) error {
		var endpoint int64
		err := s.reads.row("SELECT number FROM webhook_endpoints WHERE id = ?", []any{q.EndpointID}, &endpoint)
		if isNoRows(err) {
			return endpointNotFound(q.EndpointID)
		}
		if err != nil {
			return err
		}
		query, args := attemptsQuery(endpoint, before, q)
		var last int64
		return s.reads.each(ctx, query, args, func(scan func(...any) error) (bool, error) {
			if len(page.Attempts) == q.Limit {
				page.Next = strconv.FormatInt(last, 10)
				return false, nil
			}
			a := webhook.Attempt{EndpointID: q.EndpointID}
			var at, next sql.NullString
			err := scan(&last, &a.MessageID, &a.Type, &a.Number, &at, &a.Took, &a.Status, &a.Failure, &next)
			a.At, a.Next = moment(at), moment(next)
			page.Attempts = append(page.Attempts, a)
			return true, err
		})
	})
	if err != nil {
		return webhook.AttemptPage{}, err
	}
	return page, nil
}

// attemptsQuery finds the page's attempts, and one more if there is one.
func attemptsQuery(endpoint, before int64, q webhook.AttemptQuery) (query string, args []any) {
	query = "SELECT n, message, type, number, at, took, status, failure, next FROM webhook_attempts WHERE endpoint = ? AND n < ?"
	args = []any{endpoint, before}
	if q.MessageID != "" {
		query, args = query+" AND message = ?", append(args, q.MessageID)
	}
	if q.Failed {
		query += " AND failure != ''"
	}
	return query + " ORDER BY n DESC LIMIT ?", append(args, q.Limit+1)
}
