package smtp_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/providers/smtp"
)

// TestWaitSettles: SMTP gives no receipts, so a mail that the server took is
// settled at once, and does not wait for a report that never comes.
func TestWaitSettles(t *testing.T) {
	t.Parallel()
	server := serve(t, serverOptions{})
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	notify.Use(n, smtp.New(smtp.Config{Addr: server.addr, From: "Shop <shop@example.com>"}))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	require.NoError(t, n.Ready(ctx))

	id, err := n.Send(ctx, notify.Notification{
		To: notify.Recipient{ID: "u_1", Name: "Ann", Addresses: map[notify.Channel]string{
			notify.EmailChannel: "ann@example.com",
		}},
		Content: notify.Content{Title: "Shipped", Body: "On its way.", HTML: "<p>On its way.</p>"},
		Route:   notify.First(notify.EmailChannel),
	})
	require.NoError(t, err)
	status, err := n.Wait(ctx, id)
	require.NoError(t, err)
	require.Equal(t, notify.StateSent, status.State)
	require.True(t, status.Settled)
	require.Len(t, server.received(), 1)

	sent := 0
	for e, err := range n.Watch(ctx, id) {
		require.NoError(t, err)
		if data, ok := e.Data.(notify.Sent); ok {
			sent++
			require.True(t, data.Final)
			require.Contains(t, data.MessageID, "@example.com>")
		}
	}
	require.Equal(t, 1, sent)
	require.NoError(t, n.Close(ctx))
	require.NoError(t, <-ran)
}
