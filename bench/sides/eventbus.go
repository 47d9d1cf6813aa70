package sides

import (
	"fmt"

	bus "github.com/asaskevich/EventBus"

	"github.com/seed-6c01d079/notify/bench"
)

const topic = "order_paid"

// EventBus is asaskevich/EventBus with plain subscriptions: Publish calls the
// observers, by reflection, before it returns.
func EventBus() bench.Side {
	return bench.Side{Name: "asaskevich/EventBus", Start: func(n int, gate *bench.Gate) (bench.Bus, error) {
		b := eventBus{bus.New()}
		for i := range n {
			if err := b.Subscribe(topic, func(e bench.Event) { gate.Handled(i, e.Seq) }); err != nil {
				return nil, fmt.Errorf("subscribe: %w", err)
			}
		}
		return b, nil
	}}
}

type eventBus struct{ bus.Bus }

func (b eventBus) Publish(seq uint64) error {
	b.Bus.Publish(topic, bench.NewEvent(seq))
	return nil
}

func (b eventBus) Close() error { return nil }
