package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/seed-6c01d079/notify"
)

// SendObservers is how many observers watch the notifications of
// [SendToSettled].
const SendObservers = 3

// SendToSettled sends notifications, with a provider that does nothing and
// three observers of all events, and waits until every observer has seen every
// one settle. Cost.Events counts notifications, of which at most the given
// number are outstanding; with one, Wall is the time from Send until the
// observers have seen it settle. also registers what is to be measured beside it.
func SendToSettled(outstanding int, length Length, also ...func(n *notify.Notifier)) (Cost, error) {
	cost, err := untilSettled(outstanding, length, func(n *notify.Notifier) {
		notify.Use(n, nothing{})
		for _, register := range also {
			register(n)
		}
	}, send)
	if err != nil {
		return Cost{}, fmt.Errorf("send to settled: %w", err)
	}
	return cost, nil
}

// untilSettled publishes, and waits until [SendObservers] observers of all events
// have seen what was published settle.
func untilSettled(
	outstanding int, length Length, use func(*notify.Notifier), publish func(ctx context.Context, n *notify.Notifier, seq uint64) error,
) (Cost, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	gate := NewGate(SendObservers, outstanding)
	var seen [SendObservers]tally
	n, stop, err := Open(notify.Config{}, func(n *notify.Notifier) {
		use(n)
		observeAll(n, gate, &seen)
	})
	if err != nil {
		return Cost{}, err
	}
	cost, err := fanOut(ctx, gate, func(seq uint64) error { return publish(ctx, n, seq) }, length)
	err = errors.Join(err, stop())
	if err == nil {
		err = gate.Check()
	}
	if err == nil {
		err = checkCounts(observed(n), SendObservers, RaisedEvents*gate.Published())
	}
	return cost, err
}

// observed is what the statistics say that each observer handled.
func observed(n *notify.Notifier) []int64 {
	var counted []int64
	for _, o := range n.Stats(context.Background()).Observers {
		counted = append(counted, o.Successes)
	}
	return counted
}

func send(ctx context.Context, n *notify.Notifier, seq uint64) error {
	_, err := n.Send(ctx, notify.Notification{
		To: notify.Recipient{
			ID: "u_" + strconv.FormatUint(seq, 10), Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"},
		},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
	})
	return err
}

// nothing is a provider that does nothing.
type nothing struct{}

func (nothing) Name() string { return "nothing" }

func (nothing) Send(context.Context, notify.Delivery[notify.Email]) (notify.Receipt, error) {
	return notify.Receipt{}, nil
}

// stuck is a provider whose calls wait until it is released.
type stuck struct {
	calls    atomic.Int64
	released chan struct{}
}

func (*stuck) Name() string { return "stuck" }

func (s *stuck) Send(ctx context.Context, _ notify.Delivery[notify.Email]) (notify.Receipt, error) {
	s.calls.Add(1)
	select {
	case <-s.released:
		return notify.Receipt{}, nil
	case <-ctx.Done():
		return notify.Receipt{}, ctx.Err()
	}
}
