package notify

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// healthy is how long consuming has to last to count as no failure.
const healthy = time.Minute

// consume consumes until ctx ends, also when the backend fails meanwhile.
func consume(ctx context.Context, consumer backend.Consumer, c backend.Consumption, log *slog.Logger) {
	for failures := 1; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := consumer.Consume(ctx, c)
		if ctx.Err() != nil || errors.Is(err, backend.ErrClosed) {
			return
		}
		if time.Since(began) > healthy {
			failures = 1
		}
		log.Error("notify: consuming stopped, and will be tried again", "topic", c.Topic, "group", c.Group, "error", err)
		sleep(ctx, stepBackoff(failures))
	}
}
