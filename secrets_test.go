package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// What no sink may ever hold.
var canaries = []string{"canary-address", "canary-title", "canary-body", "canary-data", "canary-file", "canary-token", "canary-panic"}

func secretNotification(route notify.Route) notify.Notification {
	return notify.Notification{
		To: notify.Recipient{ID: "u_1", Name: "Ann", Addresses: map[notify.Channel]string{
			notify.EmailChannel: "canary-address@example.com", notify.PushChannel: "canary-token", notify.ChatChannel: "canary-address",
		}},
		Content: notify.Content{
			Title: "canary-title", Body: "canary-body", Data: map[string]string{"k": "canary-data"},
			Attachments: []notify.Attachment{{Name: "canary-file", Data: []byte("canary-body")}},
		},
		Data: map[string]any{"k": "canary-data"}, Route: route,
	}
}

// TestNothingSecretLeaks plants canaries in every field that is content or an
// address, has everything fail that can, and searches every sink: events as
// they travel, the log, dead letters, errors, statistics.
func TestNothingSecretLeaks(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]func(*memory.Backend) notify.Backend{
		"memory": func(b *memory.Backend) notify.Backend { return b },
		"wire":   func(b *memory.Backend) notify.Backend { return notifytest.WireOnly(b) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := &safeBuffer{}
			notifytest.Run(t, func(t *testing.T, _ *notifytest.Bench) { leak(t, out, form(memory.New())) })
			text := out.String()
			require.Contains(t, text, "notify.unknown.v1", "the scenarios ran")
			for _, canary := range canaries {
				if i := strings.Index(text, canary); i >= 0 {
					t.Errorf("%s leaked: …%s…", canary, text[max(0, i-200):min(len(text), i+100)])
				}
			}
		})
	}
}

func leak(t *testing.T, out *safeBuffer, b notify.Backend) {
	n, err := notify.New(notify.Config{Backend: b, Logger: slog.New(slog.NewTextHandler(out, nil))})
	require.NoError(t, err)
	// A panic's value and a plain error of a provider may hold anything. The
	// log gets an error's text, so a host's own error is not a canary here.
	email := notifytest.NewProvider[notify.Email]("email")
	email.Next(notifytest.FailTemporarily(notify.ClassService, "451"), notifytest.Panic("canary-panic"), notifytest.FailPermanently(notify.ClassAddress, "550 5.1.1"))
	notify.Use(n, email)
	push := notifytest.NewProvider[notify.Push]("push")
	push.Always(notifytest.LoseAnswer())
	notify.Use(n, push)
	notify.Use(n, notifytest.NewProvider[notify.Chat]("chat"))
	notify.Render(n, func(context.Context, notify.RenderRequest) (notify.Chat, error) { panic("canary-panic") })
	asked := 0
	n.Guard("guard", func(context.Context, notify.GuardRequest) (notify.Decision, error) {
		if asked++; asked == 1 {
			panic(errors.New("canary-panic"))
		}
		return notify.Allow(), nil
	})
	notify.On(n, "panics", func(context.Context, notify.Event[notify.Sending]) error { panic("canary-panic") },
		func(o *notify.Observer) { o.Retry.Attempts = 2 })
	notify.On(n, "all", func(_ context.Context, e notify.Event[any]) error {
		m, err := n.Encode(e)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s %v %s\n", m.UUID, m.Metadata, m.Payload)
		return err
	})
	go func() { _ = n.Run(t.Context()) }()
	require.NoError(t, n.Ready(t.Context()))

	for _, route := range []notify.Route{
		notify.First(notify.EmailChannel), notify.First(notify.EmailChannel), notify.First(notify.PushChannel),
		notify.First(notify.ChatChannel), notify.All(notify.EmailChannel, notify.PushChannel, notify.ChatChannel),
	} {
		id, err := n.Send(t.Context(), secretNotification(route))
		require.NoError(t, err)
		status, err := n.Wait(t.Context(), id)
		require.NoError(t, err)
		fmt.Fprintf(out, "%+v\n", status)
	}
	bad := secretNotification(notify.First(notify.Channel("canary-title"), notify.EmailChannel))
	bad.To.Addresses[notify.EmailChannel] = "canary-address\r\n@example.com"
	bad.Content.Title = "canary-title\n"
	bad.Content.URL = "canary-body://\x00"
	bad.Template = "canary-data"
	_, err = n.Send(t.Context(), bad)
	require.Error(t, err)
	for _, field := range notify.FieldErrors(err) {
		// A route's channels are the host's own names, and may be told.
		if !strings.Contains(field.Field, "Route") && field.Field != "Template" {
			fmt.Fprintln(out, field)
		}
	}
	time.Sleep(time.Minute) // virtual: the observer that panics gives up
	letters, err := n.DeadLetters(t.Context(), "panics", "", 100)
	require.NoError(t, err)
	require.NotEmpty(t, letters)
	require.Contains(t, email.Deliveries()[0].Message.Text, "canary-body", "the canaries went all the way")
	fmt.Fprintf(out, "%+v %+v %v\n", letters, n.Stats(t.Context()), n.Guarantees())
	require.NoError(t, n.Close(t.Context()))
}
