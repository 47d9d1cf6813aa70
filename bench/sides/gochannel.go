package sides

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/seed-6c01d079/notify/bench"
)

// GoChannel is Watermill's gochannel by itself: the event is encoded as JSON
// once, and an observer decodes it.
func GoChannel() bench.Side {
	return bench.Side{Name: "Watermill gochannel", Start: func(n int, gate *bench.Gate) (bench.Bus, error) {
		g := &goChannel{GoChannel: newGoChannel()}
		for i := range n {
			messages, err := g.Subscribe(context.Background(), topic)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("subscribe: %w", err), g.Close())
			}
			g.running.Go(func() {
				for m := range messages {
					var e bench.Event
					if json.Unmarshal(m.Payload, &e) == nil {
						gate.Handled(i, e.Seq)
					}
					m.Ack()
				}
			})
		}
		return g, nil
	}}
}

// newGoChannel returns one that keeps nothing and holds up no publisher.
func newGoChannel() *gochannel.GoChannel {
	return gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: bench.Outstanding}, watermill.NopLogger{})
}

type goChannel struct {
	*gochannel.GoChannel
	running sync.WaitGroup
}

func (g *goChannel) Publish(seq uint64) error {
	payload, err := json.Marshal(bench.NewEvent(seq))
	if err != nil {
		return err
	}
	return g.GoChannel.Publish(topic, message.NewMessage(watermill.NewUUID(), payload))
}

func (g *goChannel) Close() error {
	err := g.GoChannel.Close()
	g.running.Wait()
	return err
}
