package settle_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/settle"
)

// What waits for a channel that no process delivers ends after half a day, and
// who is on duty hears of it.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := notify.New(notify.Config{
		Logger: slog.New(slog.DiscardHandler),
		Roles:  &notify.Roles{Route: true, Observe: true, Elsewhere: []notify.Channel{notify.EmailChannel}},
	})
	if err != nil {
		panic(err)
	}
	n.Attach(settle.New(func(c *settle.Config) { c.Routed.After = 12 * time.Hour }))
	notify.On(n, "duty", func(_ context.Context, e notify.Event[notify.Stuck]) error {
		fmt.Println(e.NotificationID, "waits for", e.Data.Channel, "since", e.Data.Since)
		return nil
	})
	go n.Run(ctx)
	if err := n.Ready(ctx); err != nil {
		panic(err)
	}
	for _, l := range n.Topology().Limits {
		if l.Phase == string(notify.PhaseRouted) {
			fmt.Println("a leg that is", l.Phase, "may wait for", l.After, "then:", l.Then)
		}
	}
	if err := n.Close(ctx); err != nil {
		panic(err)
	}
	// Output: a leg that is routed may wait for 12h0m0s then: expire
}
