package main

import (
	"context"
	"log/slog"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// silent is a provider that takes everything.
type silent struct{}

func (silent) Name() string { return "silent" }

func (silent) Send(context.Context, notify.Delivery[notify.Email]) (notify.Receipt, error) {
	return notify.Receipt{}, nil
}

func mail(recipient string) notify.Notification {
	return notify.Notification{
		To: notify.Recipient{ID: recipient, Addresses: map[notify.Channel]string{
			notify.EmailChannel: "ann@example.com",
		}},
		Content: notify.Content{Title: "Shipped", Body: "On its way."},
		Route:   notify.First(notify.EmailChannel),
	}
}

// notifierOn runs a Notifier on a miniredis of its own, which notes the
// recipient of each notification that settles.
func notifierOn(t *testing.T) (*miniredis.Miniredis, *notify.Notifier, *journal) {
	t.Helper()
	server := startMiniredis(t)
	s := hasty(1)
	s.DB, s.Group = testDB, forNotify
	log := slog.New(slog.DiscardHandler)
	b, err := open(server.Addr(), s, log)
	require.NoError(t, err)
	n, err := notify.New(notify.Config{
		Backend: b, Records: memory.NewRecords(), AddressKey: []byte("sixteen bytes ok"), Logger: log,
	})
	require.NoError(t, err)
	var seen journal
	notify.Use(n, silent{})
	notify.On(n, "settled", func(_ context.Context, e notify.Event[notify.Settled]) error {
		seen.note(e.RecipientID)
		return nil
	})
	ran := make(chan error, 1)
	go func() { ran <- n.Run(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, n.Close(context.Background()))
		require.NoError(t, <-ran)
	})
	require.NoError(t, n.Ready(t.Context()))
	// Until it has looked for claims, a reader does not read: something may
	// happen to Redis once all do.
	_, err = n.Send(t.Context(), mail("first"))
	require.NoError(t, err)
	seen.await(t, 1)
	return server, n, &seen
}
