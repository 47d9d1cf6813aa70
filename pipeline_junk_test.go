package notify_test

import (
	"log/slog"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// What is no work does not stop the pipeline, and is kept.
func TestWhatIsNotWorkBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		backend := memory.New()
		n, err := notify.New(notify.Config{Backend: backend, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		notify.Use(n, notifytest.NewProvider[notify.Email]("smtp"))
		go func() { _ = n.Run(t.Context()) }()
		require.NoError(t, n.Ready(t.Context()))
		defer func() { require.NoError(t, n.Close(t.Context())) }()

		publisher, err := backend.Publisher()
		require.NoError(t, err)
		require.NoError(t, publisher.Publish("notify.route", message.NewMessage("junk", []byte("{"))))
		id, err := n.Send(t.Context(), notify.Notification{
			To:      notify.Recipient{ID: "u", Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
			Content: notify.Content{Title: "Hello"}, Route: notify.First(notify.EmailChannel),
		})
		require.NoError(t, err)
		status, err := n.Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateSent, status.State)

		letters, err := n.DeadLetters(t.Context(), "", "", 10)
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Equal(t, notify.ObserverUndecodable, letters[0].Class)
		require.Equal(t, "junk", letters[0].Event.ID)
		require.Equal(t, notify.Raw("{"), letters[0].Event.Data)
	})
}
