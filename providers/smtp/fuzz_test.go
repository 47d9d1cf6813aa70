package smtp_test

import (
	"errors"
	"maps"
	"net/mail"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/providers/smtp"
)

// FuzzHeaders sends what the provider accepts through a real server: the mail
// that arrives has the fields that it should have, once each, and no other.
func FuzzHeaders(f *testing.F) {
	f.Add("k", "ada@example.com", "Ada", "Hello", "help@example.com", "https://example.com/u", "a.pdf", "application/pdf", "text", "<p>")
	f.Add("k\r\nX: y", `"a b"@example.com`, `"`, "=?utf-8?q?=0AX:_y?=", "", "", "", "", ".\r\n.\n", "")
	f.Add("ü", "ü@ü.example", "日本語", "a\tb  c ", "", "https://a/%0d%0a", "ü\".txt", `text/plain; charset="a;b"`, "", "\n\n.\n")
	s := serve(f, serverOptions{utf8: true})
	p := smtp.New(smtp.Config{Addr: s.addr, From: "Shop <shop@example.com>"})
	f.Cleanup(func() { _ = p.Close() })
	f.Fuzz(func(t *testing.T, key, to, name, subject, replyTo, unsubscribe, file, kind, text, html string) {
		message := notify.Email{
			To: to, ToName: name, Subject: subject, ReplyTo: replyTo, UnsubscribeURL: unsubscribe, Text: text, HTML: html,
		}
		if file != "" {
			message.Attachments = []notify.Attachment{{Name: file, ContentType: kind, Data: []byte("x")}}
		}
		receipt, err := p.Send(t.Context(), notify.Delivery[notify.Email]{Key: key, Message: message})
		if err != nil {
			var failure *notify.SendError
			require.True(t, errors.As(err, &failure))
			require.Equal(t, notify.VerdictPermanent, failure.Verdict, err)
			return
		}
		header, parts := parse(t, s.last().raw)
		single := file == "" && (text == "" || html == "")
		requireFields(t, header, single, replyTo != "", unsubscribe != "")
		require.Equal(t, receipt.MessageID, header.Get("Message-Id"))
		require.Equal(t, subject, decoded(t, header.Get("Subject")))
		got, err := header.AddressList("To")
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, name, got[0].Name)
		if file != "" {
			require.Equal(t, file, parts[len(parts)-1].name)
		}
	})
}

// requireFields sees that a mail has the header fields that were asked for, once
// each, and no other. One of a single part names its encoding.
func requireFields(t *testing.T, header mail.Header, single, replyTo, unsubscribe bool) {
	t.Helper()
	want := []string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}
	if single {
		want = append(want, "Content-Transfer-Encoding")
	}
	if replyTo {
		want = append(want, "Reply-To")
	}
	if unsubscribe {
		want = append(want, "List-Unsubscribe", "List-Unsubscribe-Post")
	}
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(header)))
	for field, values := range header {
		require.Len(t, values, 1, field)
	}
}
