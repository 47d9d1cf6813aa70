package logs

import (
	"context"

	"github.com/seed-6c01d079/notify"
)

// Write is what the observer's handler does with an event.
func (l *Logs) Write(ctx context.Context, e notify.Event[any]) error { return l.write(ctx, e) }
