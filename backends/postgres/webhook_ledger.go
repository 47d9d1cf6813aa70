package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

const listAttempts = `
select number, message, type, attempt, at, took, status, failure, next from {s}.webhook_attempt
where endpoint = $1 and number < $2 and ($3 = '' or message = $3) and (failure <> '' or not $4)
order by number desc limit $5`

// Attempts implements [webhook.Store].
func (w *webhooks) Attempts(ctx context.Context, q webhook.AttemptQuery) (page webhook.AttemptPage, err error) {
	q, before, err := q.Resolve()
	if err != nil {
		return page, err
	}
	id := text(q.EndpointID)
	err = w.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		var exists bool
		err := pool.QueryRow(ctx, w.store.config.sql("select exists (select from {s}.webhook_endpoint where id = $1)"), id).Scan(&exists)
		if err == nil && !exists {
			err = notify.ErrNotFound
		}
		if err != nil {
			return err
		}
		rows, err := pool.Query(ctx, w.store.config.sql(listAttempts), id, before, text(q.MessageID), q.Failed, q.Limit+1)
		if err != nil {
			return err
		}
		var number, last int64
		page.Attempts, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (webhook.Attempt, error) {
			a := webhook.Attempt{EndpointID: q.EndpointID}
			var took int64
			var next *time.Time
			last = number
			err := row.Scan(&number, &a.MessageID, &a.Type, &a.Number, &a.At, &took, &a.Status, &a.Failure, &next)
			a.At, a.Took, a.Next = a.At.UTC(), time.Duration(took), utc(next)
			return a, err
		})
		if len(page.Attempts) > q.Limit {
			page.Attempts = page.Attempts[:q.Limit]
			page.Next = strconv.FormatInt(last, 10)
		}
		return err
	})
	if err != nil {
		return webhook.AttemptPage{}, endpointError("list attempts of", q.EndpointID, err)
	}
	return page, nil
}
