package sides

import (
	"context"
	"time"

	"github.com/kelindar/event"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/bench"
)

// Kelindar is kelindar/event with events by value, as large as notify's are. It
// hands out events every half a millisecond.
func Kelindar() bench.Side {
	return bench.Side{Name: KelindarName, Start: func(n int, gate *bench.Gate) (bench.Bus, error) {
		k := &kelindar{Dispatcher: event.NewDispatcher()}
		for i := range n {
			k.cancels = append(k.cancels, event.Subscribe(k.Dispatcher, func(e enveloped) { gate.Handled(i, e.Data.Seq) }))
		}
		return k, nil
	}}
}

type enveloped struct {
	notify.Envelope
	Data bench.Event
}

func (enveloped) Type() uint32 { return 1 }

type kelindar struct {
	*event.Dispatcher
	cancels []context.CancelFunc
}

func (k *kelindar) Publish(seq uint64) error {
	event.Publish(k.Dispatcher, enveloped{Envelope: notify.Envelope{Type: topic, Time: time.Now()}, Data: bench.NewEvent(seq)})
	return nil
}

// Close lets the observers see, at the next tick of the dispatcher, that they
// are canceled: after its Close they would wait for ever. There is nothing to
// wait on.
func (k *kelindar) Close() error {
	for _, cancel := range k.cancels {
		cancel()
	}
	time.Sleep(20 * time.Millisecond)
	return k.Dispatcher.Close()
}
