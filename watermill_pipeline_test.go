package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// service is a provider made of a func.
type service[M notify.Message] struct {
	name string
	send func(d notify.Delivery[M]) error
}

func (s service[M]) Name() string { return s.name }

func (s service[M]) Send(_ context.Context, d notify.Delivery[M]) (notify.Receipt, error) {
	return notify.Receipt{MessageID: d.Key}, s.send(d)
}

func temporary() error {
	return &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassService}
}

func permanent() error {
	return &notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassAddress}
}

// goChannel returns a Backend on a gochannel of its own.
func goChannel(config gochannel.Config) notify.Backend {
	pubSub := gochannel.NewGoChannel(config, nil)
	return notify.FromWatermill(pubSub, func(string) (message.Subscriber, error) { return pubSub, nil })
}

// newOn returns a Notifier on the backend, and what that lacks.
func newOn(t *testing.T, b notify.Backend) *notify.Notifier {
	t.Helper()
	n, err := notify.New(notify.Config{
		Backend: b, Records: memory.NewRecords(), AddressKey: []byte("sixteen bytes ok"),
		Logger: slog.New(slog.DiscardHandler), DrainTimeout: time.Minute,
	})
	require.NoError(t, err)
	return n
}

// heard are the types of the events that an observer got, by notification.
type heard struct {
	mu    sync.Mutex
	types map[string][]string
}

func (h *heard) handle(_ context.Context, e notify.Event[any]) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.types == nil {
		h.types = map[string][]string{}
	}
	h.types[e.NotificationID] = append(h.types[e.NotificationID], e.Type)
	return nil
}

func (h *heard) of(id string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(h.types[id]))
}

// onGoChannel runs f, in virtual time, with a Notifier that setup completed.
func onGoChannel(t *testing.T, setup func(n *notify.Notifier), f func(t *testing.T, n *notify.Notifier)) {
	t.Helper()
	for name, config := range map[string]gochannel.Config{
		"plain": {}, "buffered": {OutputChannelBuffer: 100}, "persistent": {Persistent: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := newOn(t, goChannel(config))
				setup(n)
				ran := make(chan error, 1)
				go func() { ran <- n.Run(context.Background()) }()
				require.NoError(t, n.Ready(t.Context()))
				f(t, n)
				require.NoError(t, n.Close(t.Context()))
				require.NoError(t, <-ran)
			})
		})
	}
}

func reachable() notify.Notification {
	return notify.Notification{
		To: notify.Recipient{ID: "u", Addresses: map[notify.Channel]string{
			notify.EmailChannel: "u@example.com", notify.SMSChannel: "+4930123456",
		}},
		Content: notify.Content{Title: "Shipped", Body: "On its way."},
		Route:   notify.First(notify.SMSChannel, notify.EmailChannel),
	}
}

func TestGoChannelRetriesAndFailsOver(t *testing.T) {
	t.Parallel()
	var all heard
	onGoChannel(t, func(n *notify.Notifier) {
		notify.Use(n, service[notify.SMS]{"sms", func(d notify.Delivery[notify.SMS]) error {
			return temporary()
		}}, func(c *notify.ProviderConfig) {
			c.Attempts = 3
			c.Backoff = func(n int) time.Duration { return time.Duration(n) * time.Minute }
		})
		notify.Use(n, service[notify.Email]{"email", func(notify.Delivery[notify.Email]) error { return nil }})
		notify.On(n, "all", all.handle)
	}, func(t *testing.T, n *notify.Notifier) {
		begun := time.Now()
		id, err := n.Send(t.Context(), reachable())
		require.NoError(t, err)
		status, err := n.Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateSent, status.State)
		require.WithinRange(t, time.Now(), begun.Add(3*time.Minute), begun.Add(4*time.Minute), "the pauses, and no more than a sweep's patience")
		synctest.Wait()
		require.Equal(t, []string{
			"notify.accepted.v1", "notify.failed.v1", "notify.failed_over.v1", "notify.rendered.v1", "notify.rendered.v1",
			"notify.retrying.v1", "notify.retrying.v1", "notify.routed.v1", "notify.sending.v1", "notify.sending.v1",
			"notify.sending.v1", "notify.sending.v1", "notify.sent.v1", "notify.settled.v1",
		}, all.of(id))
	})
}

func TestGoChannelHoldsAndCancels(t *testing.T) {
	t.Parallel()
	onGoChannel(t, func(n *notify.Notifier) {
		notify.Use(n, service[notify.SMS]{"sms", func(notify.Delivery[notify.SMS]) error { return permanent() }})
		notify.Use(n, service[notify.Email]{"email", func(notify.Delivery[notify.Email]) error { return nil }})
	}, func(t *testing.T, n *notify.Notifier) {
		later := reachable()
		later.NotBefore = time.Now().Add(3 * time.Hour)
		later.Key = "later"
		kept, err := n.Send(t.Context(), later)
		require.NoError(t, err)
		later.Key = ""
		canceled, err := n.Send(t.Context(), later)
		require.NoError(t, err)
		synctest.Wait()
		answer, err := n.Cancel(t.Context(), canceled)
		require.NoError(t, err)
		require.Equal(t, notify.CancelDone, answer)
		status, err := n.Wait(t.Context(), canceled)
		require.NoError(t, err)
		require.Equal(t, notify.StateCanceled, status.State)

		status, err = n.Wait(t.Context(), kept)
		require.NoError(t, err)
		require.Equal(t, notify.StateSent, status.State)
		require.WithinRange(t, time.Now(), later.NotBefore, later.NotBefore.Add(time.Minute))
		later.Key = "later"
		again, err := n.Send(t.Context(), later)
		require.NoError(t, err)
		require.Equal(t, kept, again)
	})
}

func TestGoChannelObserversRetryAndBury(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	tried := map[string]int{}
	var all heard
	onGoChannel(t, func(n *notify.Notifier) {
		notify.Use(n, service[notify.Email]{"email", func(notify.Delivery[notify.Email]) error { return nil }})
		notify.On(n, "all", all.handle)
		notify.On(n, "unsteady", func(_ context.Context, e notify.Event[notify.Sent]) error {
			mu.Lock()
			defer mu.Unlock()
			if tried[e.ID]++; tried[e.ID] < 3 {
				return errors.New("not yet")
			}
			return nil
		})
		notify.On(n, "broken", func(context.Context, notify.Event[notify.Sent]) error {
			return errors.New("never")
		}, func(o *notify.Observer) { o.Retry.Attempts = 4 })
	}, func(t *testing.T, n *notify.Notifier) {
		mail := reachable()
		mail.Route = notify.First(notify.EmailChannel)
		id, err := n.Send(t.Context(), mail)
		require.NoError(t, err)
		_, err = n.Wait(t.Context(), id)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		mu.Lock()
		require.Equal(t, 3, tried[id+"/1.1/sent"], tried)
		mu.Unlock()
		letters, err := n.DeadLetters(t.Context(), "", "", 10)
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Equal(t, "broken", letters[0].Observer)
		require.Equal(t, 4, letters[0].Attempts)
		require.Equal(t, id, letters[0].Event.NotificationID)
		require.Contains(t, all.of(""), "notify.dead_lettered.v1")
	})
}

// Whoever observes after Ready sees what is sent after, and Detach ends it.
func TestGoChannelObserversComeAndGo(t *testing.T) {
	t.Parallel()
	onGoChannel(t, func(n *notify.Notifier) {
		notify.Use(n, service[notify.Email]{"email", func(notify.Delivery[notify.Email]) error { return nil }})
	}, func(t *testing.T, n *notify.Notifier) {
		mail := reachable()
		mail.Route = notify.First(notify.EmailChannel)
		var late heard
		notify.On(n, "late", late.handle)
		id, err := n.Send(t.Context(), mail)
		require.NoError(t, err)
		_, err = n.Wait(t.Context(), id)
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, late.of(id), 6, "accepted, routed, rendered, sending, sent, settled")
		require.NoError(t, n.Detach(t.Context(), "late"))
		id, err = n.Send(t.Context(), mail)
		require.NoError(t, err)
		_, err = n.Wait(t.Context(), id)
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, late.of(id))
	})
}

// The records outlive the Pub/Sub: what it lost comes back.
func TestGoChannelWorkThatWasLostComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		records := memory.NewRecords()
		begin := func(send func(notify.Delivery[notify.Email]) error) *notify.Notifier {
			n, err := notify.New(notify.Config{
				Backend: goChannel(gochannel.Config{}), Records: records, AddressKey: []byte("sixteen bytes ok"),
				Logger: slog.New(slog.DiscardHandler), DrainTimeout: time.Minute,
			})
			require.NoError(t, err)
			notify.Use(n, service[notify.Email]{"email", send}, func(c *notify.ProviderConfig) {
				c.Backoff = func(int) time.Duration { return time.Minute }
			})
			go func() { _ = n.Run(context.Background()) }()
			require.NoError(t, n.Ready(t.Context()))
			return n
		}
		first := begin(func(notify.Delivery[notify.Email]) error { return temporary() })
		mail := reachable()
		mail.Route = notify.First(notify.EmailChannel)
		id, err := first.Send(t.Context(), mail)
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, first.Close(t.Context()))

		second := begin(func(notify.Delivery[notify.Email]) error { return nil })
		status, err := second.Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateSent, status.State)
		require.NoError(t, second.Close(t.Context()))
	})
}

func TestFromWatermillNeedsRecordsAndAKey(t *testing.T) {
	t.Parallel()
	_, err := notify.New(notify.Config{Backend: goChannel(gochannel.Config{})})
	var fields []string
	for _, f := range notify.FieldErrors(err) {
		fields = append(fields, f.Field)
	}
	require.ElementsMatch(t, []string{"Config.Records", "Config.Records", "Config.AddressKey"}, fields)
	require.ErrorContains(t, err, "memory.NewRecords()")
}
