package memory

import (
	"context"

	"github.com/seed-6c01d079/notify/backend"
)

// Commit implements [backend.Atomic]: under the record's lock the messages are
// appended and the record is written, so that who sees a message and loads the
// record finds it written.
func (b *Backend) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (revision int64, err error) {
	return b.store(ctx, r, func() error { return b.post(out) })
}
