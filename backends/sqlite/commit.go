package sqlite

import (
	"context"

	"github.com/seed-6c01d079/notify/backend"
)

// Commit implements [backend.Atomic]: record and messages are written in one
// transaction.
func (b *Backend) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (revision int64, err error) {
	return b.store(ctx, r, out)
}
