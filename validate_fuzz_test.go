package notify

import (
	"encoding/json"
	"net/mail"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Nothing panics; and what is accepted makes a mail whose headers are single
// lines and whose address net/mail reads, or is refused in words.
func FuzzValidateNotification(f *testing.F) {
	f.Add("u_1", "Ann", "a@example.com", "Shipped", "On its way", "<p>", "https://example.com", "b@example.com", "https://example.com/u", "a.pdf", "application/pdf", "k", []byte(`{"x":1}`), uint8(7))
	f.Add("", "A\r\nBcc: x", "ä@ö.de", "\u2028", "\n\n x \t y", "\x00", "shop:o", "ü@example.com", "https://e.com/>", "\xff", "text", "\x00", []byte(`["first",null]`), uint8(0))
	f.Add("", "", "a@b.c", "", strings.Repeat("ü", 100), "", "javascript:x", "", "", "", "", "", []byte("\xff"), uint8(255))
	c := testValidation(f)
	f.Fuzz(func(t *testing.T, id, name, address, title, body, html, url, replyTo, unsubscribe, file, media, key string, raw []byte, bits uint8) {
		n := Notification{
			To:      Recipient{ID: id, Name: name, Locale: media, Addresses: map[Channel]string{EmailChannel: address}},
			Content: Content{Title: title, Body: body, HTML: html, URL: url, ReplyTo: replyTo, UnsubscribeURL: unsubscribe},
			Key:     key, Tenant: name, Category: title, Labels: map[string]string{key: name}, Route: EmailChannel.asRoute(),
			Data: map[string]any{key: json.RawMessage(raw), "s": body, "n": json.Number(title)},
		}
		if bits&1 != 0 {
			n.Data, n.Labels = nil, nil
		}
		if bits&2 != 0 {
			n.Content.Attachments = []Attachment{{Name: file, ContentType: media, Ref: key}}
		}
		if bits&4 != 0 {
			n.To.Addresses[Channel(media)] = replyTo
		}
		if bits&8 != 0 {
			_ = json.Unmarshal(raw, &n.Route)
		}
		err := validateNotification(&n, c)
		if err != nil {
			require.NotEmpty(t, FieldErrors(err))
			return
		}
		_, err = plainData(n.Data)
		require.NoError(t, err)
		encoded, err := json.Marshal(n)
		require.NoError(t, err)
		require.LessOrEqual(t, len(encoded), defaultMaxBytes)
		data := dataCheck{budget: defaultMaxBytes}
		(&problems{}).data(n.Data, &data)
		low, high := sizeBounds(&n, &data, (&problems{}).route("", n.Route, nil))
		require.LessOrEqual(t, low, len(encoded))
		require.GreaterOrEqual(t, high, len(encoded))

		m, _, err := renderDefault(RenderRequest{Channel: EmailChannel, Address: address, Recipient: n.To, Content: n.Content}, nil)
		if err != nil {
			require.ErrorContains(t, err, "one of Text and HTML is required") // a push may be data alone
			return
		}
		mailed := m.(Email)
		headers := []string{mailed.To, mailed.ToName, mailed.Subject, mailed.ReplyTo, mailed.UnsubscribeURL}
		for _, a := range mailed.Attachments {
			headers = append(headers, a.Name, a.ContentType)
		}
		for _, header := range headers {
			require.False(t, strings.ContainsAny(header, "\r\n\x00"), "%q", header)
			require.True(t, utf8.ValidString(header), "%q", header)
		}
		parsed, err := mail.ParseAddress(mailed.To)
		require.NoError(t, err)
		require.Equal(t, mail.Address{Address: mailed.To}, *parsed)
		if mailed.ReplyTo != "" {
			_, err = mail.ParseAddress(mailed.ReplyTo)
			require.NoError(t, err)
		}
	})
}

func BenchmarkValidateNotification(b *testing.B) {
	small, c := goodNotification(), testValidation(b)
	templated := small
	templated.Template, templated.Data = "order/shipped", map[string]any{"number": "A-1", "count": 2, "items": []any{map[string]any{"name": "x"}}}
	templated.Route = First(EmailChannel, All(SMSChannel, Channel("pager")))
	large := small
	large.Content.HTML = strings.Repeat("<p>0123456789</p>", 100<<10/17)
	for name, n := range map[string]Notification{"small": small, "templated": templated, "html-100k": large} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := validateNotification(&n, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
