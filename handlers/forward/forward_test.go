package forward_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/forward"
	"github.com/seed-6c01d079/notify/notifytest"
)

var errDown = errors.New("the broker is down")

// broker keeps what is published, unless it is down.
type broker struct {
	mu    sync.Mutex
	down  bool
	taken map[string][]*message.Message
}

func (b *broker) Publish(topic string, messages ...*message.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return errDown
	}
	if b.taken == nil {
		b.taken = map[string][]*message.Message{}
	}
	b.taken[topic] = append(b.taken[topic], messages...)
	return nil
}

func (b *broker) Close() error { panic("it is the host's") }

func (b *broker) set(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

func (b *broker) types() (types []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.taken["deliveries"] {
		types = append(types, m.Metadata["ce_type"])
	}
	return types
}

type paid struct {
	Order string `json:"order"`
}

func to(tenant string) notify.Notification {
	return notify.Notification{
		To:      notify.Recipient{ID: "ann", Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "On its way."}, Tenant: tenant,
		Route: notify.First(notify.EmailChannel), Labels: map[string]string{"order": "A-1"},
	}
}

// chosen are Sent, Settled and the host's own event.
func chosen(c *forward.Config) { c.Events = []any{notify.Sent{}, notify.Settled{}, paid{}} }

// What is chosen arrives as it would travel itself, in its order, and nothing
// else does.
func TestForward(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]func(*notify.Config){
		"in memory": nil,
		"in its wire form": {func(c *notify.Config) {
			c.Middleware = []message.HandlerMiddleware{func(h message.HandlerFunc) message.HandlerFunc { return h }}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				theirs := &broker{}
				notify.RegisterEvent[paid](b.Notifier, "shop.paid.v1")
				notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
				b.Notifier.Attach(forward.New(theirs, "deliveries", chosen))
				id := b.Send(to("acme"))
				b.Settle(id)
				_, err := notify.Emit(t.Context(), b.Notifier, paid{"A-1"})
				require.NoError(t, err)
				b.Rest()
				require.Equal(t, []string{"notify.sent.v1", "notify.settled.v1", "shop.paid.v1"}, theirs.types())
				for _, m := range theirs.taken["deliveries"][:2] {
					e, err := b.Notifier.Decode(m)
					require.NoError(t, err)
					require.Equal(t, id, e.NotificationID)
					require.Equal(t, id, m.Metadata["ce_partitionkey"])
					require.Equal(t, "A-1", e.Labels["order"])
					require.True(t, json.Valid(m.Payload))
				}
			}, options...)
		})
	}
}

// While the publisher fails the events wait, and then come in their order, each
// with its ID.
func TestForwardToABrokerThatIsDown(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		theirs := &broker{down: true}
		notify.RegisterEvent[paid](b.Notifier, "shop.paid.v1")
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		b.Notifier.Attach(forward.New(theirs, "deliveries", chosen))
		id := b.Send(to("acme"))
		b.Until(id, notify.Settled{})
		b.Pass(2 * time.Second)
		theirs.set(false)
		require.NoError(t, b.Notifier.Handled(t.Context(), id, "forward"))
		require.Equal(t, []string{"notify.sent.v1", "notify.settled.v1"}, theirs.types())
	})
}

func TestForwardKeepsAndChanges(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		theirs := &broker{}
		notify.RegisterEvent[paid](b.Notifier, "shop.paid.v1")
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		b.Notifier.Attach(forward.New(theirs, "deliveries", chosen, func(c *forward.Config) {
			c.Name = "acme"
			c.Keep = func(e notify.Event[any]) bool { return e.Tenant == "acme" }
			c.Change = func(e notify.Event[any]) notify.Event[any] {
				e.Labels, e.RecipientID, e.ID, e.Type = nil, "", "", ""
				return e
			}
		}))
		mine, other := b.Send(to("acme")), b.Send(to("other"))
		b.Settle(mine, other)
		b.Rest()
		require.Len(t, theirs.types(), 2)
		for _, m := range theirs.taken["deliveries"] {
			e, err := b.Notifier.Decode(m)
			require.NoError(t, err)
			require.Equal(t, mine, e.NotificationID)
			require.Empty(t, e.Labels)
			require.Empty(t, e.RecipientID)
			require.NotEmpty(t, e.ID)
			require.NotEmpty(t, e.Type)
		}
		// Others see the event as it was.
		for _, e := range b.Events(mine) {
			require.Equal(t, "ann", e.RecipientID)
		}
	})
}

func TestForwardBadInput(t *testing.T) {
	t.Parallel()
	for field, f := range map[string]*forward.Forward{
		"forward.New: the publisher":      forward.New(nil, "deliveries", chosen),
		"forward.New: the topic is empty": forward.New(&broker{}, "", chosen),
		"forward.New: the topic begins":   forward.New(&broker{}, "notify.events", chosen),
		"forward.Config.Events: must":     forward.New(&broker{}, "deliveries"),
		"forward.Config.Events[1]: must":  forward.New(&broker{}, "deliveries", func(c *forward.Config) { c.Events = []any{notify.Sent{}, &notify.Sent{}} }),
		"forward.Config.Events[0]: must":  forward.New(&broker{}, "deliveries", func(c *forward.Config) { c.Events = []any{nil} }),
	} {
		n, err := notify.New(notify.Config{})
		require.NoError(t, err)
		n.Attach(f)
		_, err = n.Send(context.Background(), to("acme"))
		require.ErrorContains(t, err, field)
		require.NoError(t, n.Close(context.Background()))
	}
}
