package smtp_test

import (
	"context"
	"log/slog"
	"net/mail"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/providers/smtp"
)

// FuzzSend sends whatever Send accepts the whole way: what it accepts can be
// sent, and the mail that arrives has the header fields that were asked for,
// once each, and no other.
func FuzzSend(f *testing.F) {
	f.Add("ann@example.com", "Ann", "Shipped", "On its way.", "<p>On its way.</p>", "help@example.com", "https://example.com/u", "a.pdf", "application/pdf")
	f.Add("ann@example.com", "Ann\r\nBcc: eve@example.com", "Hi\nBcc: eve@example.com", "\r\n.\r\n", "", "a@b.example\r\nX: y", "https://example.com/\r\nX: y", "a\".txt", "text/plain\r\nX: y")
	f.Add("eve@example.com, ann@example.com", "=?utf-8?q?=0D=0AX:_y?=", "", "\x00", "", "Ann <ann@example.com>", "javascript:alert(1)", "", "")
	f.Add("ü@ü.example", "日本語, \"Ltd\"", "Ünïcödé "+string(rune(0x2028)), "ü", "", "", "", "ü.txt", "")
	s := serve(f, serverOptions{utf8: true})
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler), Route: notify.First(notify.EmailChannel)})
	require.NoError(f, err)
	notify.Use(n, smtp.New(smtp.Config{Addr: s.addr, From: "Shop <shop@example.com>"}))
	ran := make(chan error, 1)
	go func() { ran <- n.Run(context.Background()) }()
	f.Cleanup(func() {
		require.NoError(f, n.Close(context.Background()))
		require.NoError(f, <-ran)
	})
	f.Fuzz(func(t *testing.T, to, name, title, body, html, replyTo, unsubscribe, file, kind string) {
		content := notify.Content{Title: title, Body: body, HTML: html, ReplyTo: replyTo, UnsubscribeURL: unsubscribe}
		if file != "" {
			content.Attachments = []notify.Attachment{{Name: file, ContentType: kind, Data: []byte("x")}}
		}
		id, err := n.Send(t.Context(), notify.Notification{
			To: notify.Recipient{ID: "u", Name: name, Addresses: map[notify.Channel]string{notify.EmailChannel: to}}, Content: content,
		})
		if err != nil {
			require.NotEmpty(t, notify.FieldErrors(err), "a refusal names the fields: %v", err)
			return
		}
		status, err := n.Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateSent, status.State, "%+v", status)
		header, _ := parse(t, s.last().raw)
		single := file == "" && (body == "" || html == "")
		requireFields(t, header, single, replyTo != "", unsubscribe != "")
		if title != "" {
			require.Equal(t, title, decoded(t, header.Get("Subject")))
		}
		requireAddress(t, header, "To", name, to)
		if replyTo != "" {
			requireAddress(t, header, "Reply-To", "", replyTo)
		}
		requireAddress(t, header, "From", "Shop", "shop@example.com")
	})
}

func requireAddress(t *testing.T, header mail.Header, field, name, address string) {
	t.Helper()
	got, err := header.AddressList(field)
	require.NoError(t, err)
	require.Equal(t, []*mail.Address{{Name: name, Address: address}}, got)
}
