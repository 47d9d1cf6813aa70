package notify_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// routingElsewhere is a backend on which this process gets no work to route.
type routingElsewhere struct{ *memory.Backend }

func (b routingElsewhere) Consume(ctx context.Context, c backend.Consumption) error {
	if c.Topic == "notify.route" {
		<-ctx.Done()
		return nil
	}
	return b.Backend.Consume(ctx, c)
}

// A process that routes leaves to others, for a while, a notification with a
// channel that only the process which accepted it has a provider for.
func TestRoutingLeavesAStrangersChannelToOthers(t *testing.T) {
	t.Parallel()
	var shared *memory.Backend
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		defer func() { require.NoError(t, shared.Close()) }()
		defer b.Close()
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		b.Start()
		newer := notifytest.Open(t, func(c *notify.Config) {
			c.Backend, c.KeepBackend = routingElsewhere{shared}, true
			c.Roles = &notify.Roles{Route: true, Deliver: true}
		})
		notify.Use(newer.Notifier, notifytest.NewProvider[notify.SMS]("text"))
		notify.Use(newer.Notifier, mail)
		newer.Start()
		alone := newer.Send(toAnna(notify.SMSChannel))
		first := newer.Send(toAnna(notify.SMSChannel, notify.EmailChannel))
		known := newer.Send(toAnna(notify.EmailChannel))
		newer.Close()

		b.Settle(known)
		b.Pass(59 * time.Minute)
		for _, id := range []string{alone, first} {
			b.Require(id, notifytest.Never(notify.Routed{}), notifytest.Never(notify.Settled{}))
		}
		b.Pass(5 * time.Minute) // nobody has it: its provider was given up
		b.Settle(alone, first)
		b.Require(alone, notifytest.State(notify.StateFailed))
		b.Require(first, notifytest.State(notify.StateSent))
	}, func(c *notify.Config) { shared = memory.New(); c.Backend, c.KeepBackend = shared, true })
}
