package durable

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/bench"
)

// patience bounds a job, in which a message may have got lost.
const patience = 2 * time.Minute

// Consume has groups handle n messages each that are in the topic already, until
// their positions are written. Cost.Events counts messages, not deliveries.
func Consume(s Store, groups, n int) (bench.Cost, error) {
	return with(s, func(b Backend) (bench.Cost, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := fill(ctx, b, groups, n); err != nil {
			return bench.Cost{}, err
		}
		consuming, leave := context.WithCancel(ctx)
		defer leave()
		handled := make([]atomic.Int64, groups)
		ended := make(chan error, groups)
		cost, err := bench.Measure(func() (int, error) {
			for g := range groups {
				go func() {
					ended <- b.Consume(consuming, backend.Consumption{
						Topic: "events", Group: strconv.Itoa(g), Concurrency: 8,
						Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
							for ; batch.Next(); done++ {
								handled[g].Add(1)
							}
							return done, nil
						},
					})
				}()
			}
			for g := range groups {
				if err := b.CatchUp(ctx, "events", strconv.Itoa(g)); err != nil {
					return 0, err
				}
			}
			return n, nil
		})
		leave()
		for range groups {
			err = errors.Join(err, <-ended)
		}
		for g := range groups {
			if got := handled[g].Load(); err == nil && got != int64(n) {
				err = fmt.Errorf("group %d handled %d messages of %d", g, got, n)
			}
		}
		return cost, err
	})
}

// fill fixes the groups' positions, and publishes n messages.
func fill(ctx context.Context, b Backend, groups, n int) error {
	for g := range groups {
		if err := b.Fix(ctx, "events", strconv.Itoa(g), backend.FromOldest()); err != nil {
			return err
		}
	}
	pub, err := b.Publisher()
	if err != nil {
		return err
	}
	for from := 0; from < n; from += 1000 {
		var some []*message.Message
		for i := from; i < min(from+1000, n); i++ {
			some = append(some, messageOf(int64(i)))
		}
		if err := pub.Publish("events", some...); err != nil {
			return err
		}
	}
	return nil
}

// Settle has callers send a notification each, and the next one when that has
// settled, with a provider that does nothing and as many observers as
// [bench.SendToSettled] has.
func Settle(s Store, callers int, length bench.Length) (bench.Cost, error) {
	return with(s, func(b Backend) (bench.Cost, error) {
		var sent, seen atomic.Int64
		n, stop, err := bench.Open(notify.Config{Backend: b, KeepBackend: true, AddressKey: addressKey}, func(n *notify.Notifier) {
			notify.Use(n, nothing{&sent})
			for i := range bench.SendObservers {
				notify.On(n, "observer-"+strconv.Itoa(i), func(context.Context, notify.Event[any]) error {
					seen.Add(1)
					return nil
				})
			}
		})
		if err != nil {
			return bench.Cost{}, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		cost, err := call(callers, length, func(seq int64) error {
			id, err := n.Send(ctx, notification(seq))
			if err == nil {
				_, err = n.Wait(ctx, id)
			}
			return err
		})
		want := int64(cost.Events)
		if err == nil {
			err = await(ctx, func() bool { return seen.Load() >= bench.SendObservers*bench.RaisedEvents*want })
		}
		err = errors.Join(err, stop())
		if err == nil && sent.Load() != want {
			err = fmt.Errorf("of %d notifications %d were sent", want, sent.Load())
		}
		return cost, err
	})
}

// await waits until it is so. What a durable backend keeps for its observers, a
// Notifier that is closed does not wait for.
func await(ctx context.Context, so func() bool) error {
	for !so() {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the observers have not seen every event: %w", ctx.Err())
		}
	}
	return nil
}

// nothing is a provider that counts its calls.
type nothing struct{ sent *atomic.Int64 }

func (nothing) Name() string { return "nothing" }

func (p nothing) Send(context.Context, notify.Delivery[notify.Email]) (notify.Receipt, error) {
	p.sent.Add(1)
	return notify.Receipt{}, nil
}
