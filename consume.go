package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// consuming is what this process consumes.
type consuming struct {
	consumer backend.Consumer
	log      *slog.Logger

	mu     sync.Mutex
	failed map[string]failedConsumption // by topic and group; guarded by mu
}

// failedConsumption is how and when a consumption ended last.
type failedConsumption struct {
	err error
	at  time.Time
}

// errEndedEarly is how a consumption ended that should go on.
var errEndedEarly = errors.New("the backend ended it: did somebody else close it?")

// healthy is how long consuming has to last to count as no failure.
const healthy = time.Minute

// run consumes until ctx ends, also when the backend fails meanwhile.
func (c *consuming) run(ctx context.Context, what backend.Consumption) {
	name := what.Topic + " for " + what.Group
	defer c.note(name, nil)
	for failures := 1; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := c.consumer.Consume(ctx, what)
		if ctx.Err() != nil || errors.Is(err, backend.ErrClosed) {
			return
		}
		if err == nil {
			err = errEndedEarly
		}
		if time.Since(began) > healthy {
			failures = 1
		}
		c.note(name, fmt.Errorf("notify: consuming %s stopped, and is tried again: %w", name, err))
		c.log.Error("notify: consuming stopped, and will be tried again", "topic", what.Topic, "group", what.Group, "error", err)
		sleep(ctx, stepBackoff(failures))
	}
}

// note remembers how a consumption failed, or with nil that it is over.
func (c *consuming) note(name string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.failed, name)
		return
	}
	if c.failed == nil {
		c.failed = map[string]failedConsumption{}
	}
	c.failed[name] = failedConsumption{err, time.Now()}
}

// failing returns how those failed that have not lasted for long since. The
// pause before the next try is shorter than that.
func (c *consuming) failing(now time.Time) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []error
	for _, f := range c.failed {
		if now.Sub(f.at) <= healthy {
			all = append(all, f.err)
		}
	}
	slices.SortFunc(all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return all
}
