package sides

import (
	"context"
	"strconv"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/bench"
)

// NotifyLifecycle is notify with an event of its own vocabulary, about one of
// a thousand notifications: each is a key, whose events stay in order.
func NotifyLifecycle() bench.Side {
	return bench.Side{Name: "notify, events by key", Start: func(n int, gate *bench.Gate) (bench.Bus, error) {
		notifier, stop, err := bench.Open(notify.Config{}, func(r *notify.Notifier) {
			for i := range n {
				notify.On(r, "observer-"+strconv.Itoa(i), func(_ context.Context, e notify.Event[notify.Sent]) error {
					gate.Handled(i, uint64(e.Data.Attempt.Attempt))
					return nil
				})
			}
		})
		if err != nil {
			return nil, err
		}
		ids := make([]string, 1000)
		for i := range ids {
			ids[i] = "n_" + strconv.Itoa(i)
		}
		return &lifecycleBus{notifyBus{notifier, stop}, ids}, nil
	}}
}

type lifecycleBus struct {
	notifyBus
	ids []string
}

func (b *lifecycleBus) Publish(seq uint64) error {
	sent := notify.Sent{Attempt: notify.Attempt{
		Leg: notify.Leg{Leg: 1, Channel: notify.EmailChannel}, Attempt: int(seq), Provider: "smtp",
	}}
	_, err := notify.Emit(context.Background(), b.notifier, sent, func(e *notify.Envelope) {
		e.NotificationID, e.RecipientID = b.ids[seq%uint64(len(b.ids))], "u_42"
	})
	return err
}
