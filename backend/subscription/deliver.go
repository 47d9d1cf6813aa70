package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

var errNacked = errors.New("nacked")

// renack is the pause before a nacked message comes again: Watermill's universal
// suite nacks one up to 300 times.
func renack(attempt int, _ error) time.Duration {
	return min(time.Millisecond<<min(attempt-1, 5), 20*time.Millisecond)
}

// deliver sends the batch's message and waits for its fate. It counts as not
// finished when ctx ends before.
func deliver(ctx context.Context, out chan<- *message.Message, b *backend.Batch) (done int, err error) {
	if ctx.Err() != nil || !b.Next() {
		return 0, nil
	}
	wire, err := b.Entry().Wire()
	if err != nil {
		return 0, fmt.Errorf("encode: %w", err)
	}
	m := wire.Copy() // what the batch has is shared, or not made to be acknowledged
	ctx, cancel := context.WithCancel(&delivery{Context: ctx, origin: wire.Context()})
	defer cancel()
	m.SetContext(ctx)
	select {
	case out <- m:
	case <-ctx.Done():
		return 0, nil
	}
	select {
	case <-m.Acked():
		return 1, nil
	case <-m.Nacked():
		return 0, errNacked
	case <-ctx.Done():
	}
	select {
	case <-m.Acked(): // just before
		return 1, nil
	default:
		return 0, nil
	}
}

// delivery is the context of a message: it ends with the subscription, and has
// the values that the backend gave the message.
type delivery struct {
	context.Context
	origin context.Context
}

func (d *delivery) Value(key any) any {
	if v := d.Context.Value(key); v != nil {
		return v
	}
	return d.origin.Value(key)
}
