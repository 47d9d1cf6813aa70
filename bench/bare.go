package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify"
)

// BareEvents publishes, by Emit, the very events that a notification of
// [SendToSettled] raises, one notification's after another's, to observers as
// it has them. Cost.Events counts notifications: it is what their events cost
// without a pipeline.
func BareEvents(outstanding int, length Length) (Cost, error) {
	cost, err := untilSettled(outstanding, length, func(*notify.Notifier) {}, func(ctx context.Context, n *notify.Notifier, seq uint64) error {
		return raise(ctx, n, "n_"+strconv.FormatUint(seq, 10))
	})
	if err != nil {
		return Cost{}, fmt.Errorf("bare events: %w", err)
	}
	return cost, nil
}

// RaisedEvents is how many events a notification of [SendToSettled] raises.
const RaisedEvents = 6

// raise emits what a notification that is sent at once raises.
func raise(ctx context.Context, n *notify.Notifier, id string) error {
	now := time.Now()
	about := func(e *notify.Envelope) { e.NotificationID, e.RecipientID = id, "u_42" }
	leg := notify.Leg{Leg: 1, Channel: notify.EmailChannel}
	attempt := notify.Attempt{Leg: leg, Attempt: 1, Provider: "nothing"}
	route := notify.First(notify.EmailChannel)
	_, err1 := notify.Emit(ctx, n, notify.Accepted{Route: route}, about)
	_, err2 := notify.Emit(ctx, n, notify.Routed{Plan: route, Legs: []notify.Leg{leg}}, about)
	_, err3 := notify.Emit(ctx, n, notify.Rendered{Leg: leg, Bytes: 34}, about)
	_, err4 := notify.Emit(ctx, n, notify.Sending{Attempt: attempt, Call: 1}, about)
	_, err5 := notify.Emit(ctx, n, notify.Sent{Attempt: attempt, Final: true}, about)
	_, err6 := notify.Emit(ctx, n, notify.Settled{State: notify.StateSent, Attempts: 1, Calls: 1, Elapsed: time.Since(now).Seconds()}, about)
	return errors.Join(err1, err2, err3, err4, err5, err6)
}

// observeAll registers observers of all events, which tell the gate of each
// notification that settles.
func observeAll(n *notify.Notifier, gate *Gate, seen *[SendObservers]tally) {
	for i := range SendObservers {
		notify.On(n, "observer-"+strconv.Itoa(i), func(_ context.Context, e notify.Event[any]) error {
			seen[i].handled.Add(1)
			if _, settled := e.Data.(notify.Settled); settled {
				gate.Handled(i, 1)
			}
			return nil
		})
	}
}
