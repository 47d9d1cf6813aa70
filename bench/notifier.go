package bench

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Open makes a Notifier, lets the caller register what it wants, runs it, and
// returns it when it is ready, with a function that closes it. Its log is
// discarded.
func Open(config notify.Config, register func(n *notify.Notifier)) (*notify.Notifier, func() error, error) {
	config.Logger = slog.New(slog.DiscardHandler)
	n, err := notify.New(config)
	if err != nil {
		return nil, nil, err
	}
	register(n)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return errors.Join(n.Close(ctx), <-ended)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.Ready(ctx); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return n, stop, nil
}

// Observe registers the event of the job, and an observer for each of the
// gate's.
func Observe(n *notify.Notifier, gate *Gate) {
	notify.RegisterEvent[Event](n, "bench.order_paid.v1")
	for i := range gate.tallies {
		notify.On(n, "observer-"+strconv.Itoa(i), func(_ context.Context, e notify.Event[Event]) error {
			gate.Handled(i, e.Data.Seq)
			return nil
		})
	}
}
