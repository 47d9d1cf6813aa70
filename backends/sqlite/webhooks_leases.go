package sqlite

import (
	"context"
	"database/sql"
)

// endLeases gives back what the process that had the file before was sending to
// webhooks when it ended: nobody else can have the file, so nobody sends it. It is
// due again at once, and counts no longer among its endpoint's calls.
func endLeases(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, query := range []string{
		`UPDATE webhook_waiting SET due = min(due, (SELECT at FROM webhook_messages WHERE number = message)) WHERE token IS NOT NULL`,
		// As saveStatus would.
		`UPDATE webhook_endpoints AS e SET call_free = NULL, first_due = CASE
			WHEN ordered THEN (SELECT due FROM webhook_waiting WHERE endpoint = e.number ORDER BY message LIMIT 1)
			ELSE (SELECT due FROM webhook_waiting WHERE endpoint = e.number ORDER BY due LIMIT 1) END
			WHERE number IN (SELECT endpoint FROM webhook_waiting WHERE token IS NOT NULL)`,
		`UPDATE webhook_waiting SET token = NULL WHERE token IS NOT NULL`,
	} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	return tx.Commit()
}
