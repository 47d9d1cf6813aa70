package smtp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/providers/smtp"
)

// part is one leaf of a mail, decoded.
type part struct {
	kind, name, body string
}

// parse reads a mail as a reader of mail would.
func parse(t *testing.T, raw []byte) (mail.Header, []part) {
	t.Helper()
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		require.LessOrEqual(t, len(line), 998, "RFC 5322, section 2.1.1")
		require.NotContains(t, string(line), "\n")
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	require.NoError(t, err)
	return m.Header, leaves(t, textproto.MIMEHeader(m.Header), m.Body)
}

func leaves(t *testing.T, h textproto.MIMEHeader, r io.Reader) []part {
	t.Helper()
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	require.NoError(t, err)
	if !strings.HasPrefix(kind, "multipart/") {
		switch h.Get("Content-Transfer-Encoding") {
		case "quoted-printable":
			r = quotedprintable.NewReader(r)
		case "base64":
			r = base64.NewDecoder(base64.StdEncoding, r)
		default:
			t.Fatalf("Content-Transfer-Encoding is %q", h.Get("Content-Transfer-Encoding"))
		}
		body, err := io.ReadAll(r)
		require.NoError(t, err)
		p := part{kind: kind, body: string(body)}
		if d := h.Get("Content-Disposition"); d != "" {
			_, params, err := mime.ParseMediaType(d)
			require.NoError(t, err)
			p.name = params["filename"]
		}
		return []part{p}
	}
	found := []part{{kind: kind}}
	mr := multipart.NewReader(r, params["boundary"])
	for {
		next, err := mr.NextRawPart()
		if err == io.EOF {
			return found
		}
		require.NoError(t, err)
		found = append(found, leaves(t, next.Header, next)...)
	}
}

// sent sends a message through a real server and returns what arrived.
func sent(t *testing.T, c smtp.Config, message notify.Email) (mailed, mail.Header, []part) {
	t.Helper()
	s := serve(t, serverOptions{utf8: true})
	c.Addr = s.addr
	p := open(t, c)
	d := delivery("k")
	d.Message = message
	_, err := p.Send(t.Context(), d)
	require.NoError(t, err)
	require.Len(t, s.received(), 1)
	m := s.received()[0]
	header, parts := parse(t, m.raw)
	return m, header, parts
}

func decoded(t *testing.T, text string) string {
	t.Helper()
	got, err := new(mime.WordDecoder).DecodeHeader(text)
	require.NoError(t, err)
	return got
}

func TestHeader(t *testing.T) {
	t.Parallel()
	before := time.Now().Truncate(time.Second)
	m, h, parts := sent(t, smtp.Config{From: "Läden <shop@example.com>", ReplyTo: "help@example.com"}, notify.Email{
		To: "ada@example.com", ToName: "Ada, Gräfin", Subject: "Ihre Bestellung \U0001F4E6", Text: "Hallo\n",
		UnsubscribeURL: "https://example.com/u?t=1&x=%20",
	})
	require.Equal(t, "shop@example.com", m.from)
	require.Equal(t, "ada@example.com", m.to)
	require.False(t, m.utf8, "ASCII addresses do not ask for SMTPUTF8")

	from, err := h.AddressList("From")
	require.NoError(t, err)
	require.Equal(t, []*mail.Address{{Name: "Läden", Address: "shop@example.com"}}, from)
	to, err := h.AddressList("To")
	require.NoError(t, err)
	require.Equal(t, []*mail.Address{{Name: "Ada, Gräfin", Address: "ada@example.com"}}, to)
	require.Equal(t, "<help@example.com>", h.Get("Reply-To"))
	require.Equal(t, "Ihre Bestellung \U0001F4E6", decoded(t, h.Get("Subject")))
	require.Equal(t, "<https://example.com/u?t=1&x=%20>", h.Get("List-Unsubscribe"))
	require.Equal(t, "List-Unsubscribe=One-Click", h.Get("List-Unsubscribe-Post"))
	require.Equal(t, "auto-generated", h.Get("Auto-Submitted"))
	require.Equal(t, "1.0", h.Get("MIME-Version"))
	date, err := h.Date()
	require.NoError(t, err)
	require.WithinRange(t, date, before, time.Now())
	require.Equal(t, []string{
		"Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "List-Unsubscribe",
		"List-Unsubscribe-Post", "Message-Id", "Mime-Version", "Reply-To", "Subject", "To",
	}, slices.Sorted(maps.Keys(h)))
	require.Equal(t, []part{{kind: "text/plain", body: "Hallo\r\n"}}, parts)
}

func TestReplyToOfTheMessage(t *testing.T) {
	t.Parallel()
	_, h, _ := sent(t, smtp.Config{ReplyTo: "help@example.com"}, notify.Email{
		To: "ada@example.com", Text: "x", ReplyTo: "ticket-7@example.com",
	})
	require.Equal(t, "<ticket-7@example.com>", h.Get("Reply-To"))
}

func TestSubjectRoundTrip(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{
		"", "plain", "two  spaces", " leading and trailing ", "a\ttab", "=?utf-8?q?not_an_encoded_word?=",
		strings.Repeat("x", 3000), strings.Repeat("word ", 400) + "end", strings.Repeat("日本語", 300), "x" + strings.Repeat("日本語", 30), "ß" + strings.Repeat(" ", 200) + "ß",
	} {
		_, h, _ := sent(t, smtp.Config{}, notify.Email{To: "ada@example.com", Subject: subject, Text: "x"})
		require.Equal(t, subject, decoded(t, h.Get("Subject")))
	}
}

func TestNameRoundTrip(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		`Ada "The \ Countess" Lovelace`, "Ada; <eve@example.com>", "=?utf-8?q?x?=", strings.Repeat("Ada ", 100) + "x", strings.Repeat("é", 400),
	} {
		_, h, _ := sent(t, smtp.Config{}, notify.Email{To: "ada@example.com", ToName: name, Text: "x"})
		to, err := h.AddressList("To")
		require.NoError(t, err)
		require.Equal(t, []*mail.Address{{Name: name, Address: "ada@example.com"}}, to)
	}
}

func TestAddressBeyondASCII(t *testing.T) {
	t.Parallel()
	m, h, _ := sent(t, smtp.Config{}, notify.Email{To: "jürgen@bücher.example", Text: "x"})
	require.Equal(t, "jürgen@bücher.example", m.to)
	require.True(t, m.utf8)
	require.Equal(t, "<jürgen@bücher.example>", h.Get("To"))

	s := serve(t, serverOptions{})
	p := open(t, smtp.Config{Addr: s.addr})
	d := delivery("k")
	d.Message.To = "jürgen@bücher.example"
	err := failure(t, p, d)
	require.Equal(t, notify.VerdictPermanent, err.Verdict)
	require.Equal(t, notify.ClassConfig, err.Class, "another server may take it")
}

func TestQuotedLocalPart(t *testing.T) {
	t.Parallel()
	m, h, _ := sent(t, smtp.Config{}, notify.Email{To: `"ada l"@example.com`, Text: "x"})
	require.Equal(t, "ada l@example.com", m.to)
	require.Equal(t, `<"ada l"@example.com>`, h.Get("To"))
}

func TestBodies(t *testing.T) {
	t.Parallel()
	text := ".\n..two dots\n.\r\nFrom here\nbytes: äöü \U0001F600 \x00\n" + strings.Repeat("long ", 2000) + "\ntrailing \t\nno end"
	want := strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	html := "<p>" + strings.Repeat("ü", 3000) + "</p>\r\n"
	image := bytes.Repeat([]byte{0, 1, 2, 0xff, '\r', '\n', '.'}, 1000)
	pdf := notify.Attachment{Name: "Rechnung Nr. 7 – März.pdf", ContentType: "application/pdf", Data: image}
	for name, test := range map[string]struct {
		message notify.Email
		want    []part
	}{
		// SMTP content ends with a line break, so a body alone gets one.
		"text": {notify.Email{Text: text}, []part{{"text/plain", "", want + "\r\n"}}},
		"html": {notify.Email{HTML: html}, []part{{"text/html", "", html}}},
		"both": {
			notify.Email{Text: text, HTML: html},
			[]part{{kind: "multipart/alternative"}, {"text/plain", "", want}, {"text/html", "", html}},
		},
		"text with attachments": {
			notify.Email{Text: text, Attachments: []notify.Attachment{pdf, {Name: `a"b\c;d.bin`, Data: []byte("x")}}},
			[]part{
				{kind: "multipart/mixed"},
				{"text/plain", "", want},
				{"application/pdf", "Rechnung Nr. 7 – März.pdf", string(image)},
				{"application/octet-stream", `a"b\c;d.bin`, "x"},
			},
		},
		"both with an attachment": {
			notify.Email{Text: text, HTML: html, Attachments: []notify.Attachment{pdf}},
			[]part{
				{kind: "multipart/mixed"},
				{kind: "multipart/alternative"},
				{"text/plain", "", want},
				{"text/html", "", html},
				{"application/pdf", "Rechnung Nr. 7 – März.pdf", string(image)},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.message.To = "ada@example.com"
			_, _, parts := sent(t, smtp.Config{}, test.message)
			require.Equal(t, test.want, parts)
		})
	}
}

// counting is an attachment that counts what is done to it.
type counting struct {
	io.Reader
	read, closed *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read.Add(int64(n))
	return n, err
}

func (c counting) Close() error {
	c.closed.Add(1)
	return nil
}

func TestAttachmentsAreLazy(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789", 100_000)
	var opened, read, closed atomic.Int64
	opener := func(_ context.Context, ref string) (io.ReadCloser, error) {
		opened.Add(1)
		return counting{strings.NewReader(content + ref), &read, &closed}, nil
	}
	message := notify.Email{To: "ada@example.com", Text: "x", Attachments: []notify.Attachment{
		{Name: "one", Ref: "1"}, {Name: "two", Ref: "2"},
	}}

	refusing := follow(t, script{replies: map[string]string{"RCPT": "550 5.1.1 no"}})
	p := open(t, smtp.Config{Addr: refusing.addr, OpenAttachment: opener})
	d := delivery("k")
	d.Message = message
	failure(t, p, d)
	require.Zero(t, opened.Load(), "the recipient was refused")

	refusing = follow(t, script{replies: map[string]string{"DATA": "451 4.3.0 no"}})
	p = open(t, smtp.Config{Addr: refusing.addr, OpenAttachment: opener})
	failure(t, p, d)
	require.EqualValues(t, 2, opened.Load())
	require.EqualValues(t, 2, closed.Load())
	require.Zero(t, read.Load(), "the content was not asked for")

	_, _, parts := sent(t, smtp.Config{OpenAttachment: opener}, message)
	require.Equal(t, content+"1", parts[2].body)
	require.Equal(t, content+"2", parts[3].body)
	require.EqualValues(t, 4, opened.Load())
	require.EqualValues(t, 4, closed.Load())
}

func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{})
	p := open(t, smtp.Config{Addr: s.addr, OpenAttachment: openEndless})
	fields := map[string]func(e *notify.Email, v string){
		"To":                         func(e *notify.Email, v string) { e.To = v },
		"ToName":                     func(e *notify.Email, v string) { e.ToName = v },
		"Subject":                    func(e *notify.Email, v string) { e.Subject = v },
		"ReplyTo":                    func(e *notify.Email, v string) { e.ReplyTo = v },
		"UnsubscribeURL":             func(e *notify.Email, v string) { e.UnsubscribeURL = v },
		"Attachments[0].Name":        func(e *notify.Email, v string) { e.Attachments[0].Name = v },
		"Attachments[0].ContentType": func(e *notify.Email, v string) { e.Attachments[0].ContentType = v },
	}
	values := map[string][]string{
		"To":                         {"", "ada", "ada@", "Ada <ada@example.com>", "<ada@example.com>", "ada@example.com, eve@example.com", "ada@example.com (x)", strings.Repeat("a", 400) + "@example.com"},
		"ToName":                     {strings.Repeat("x", 1001)},
		"ReplyTo":                    {"ada", "Ada <ada@example.com>"},
		"UnsubscribeURL":             {"http://example.com", "mailto:a@example.com", "https://", "https://example.com/<x>", "https://example.com/ü", "https://example.com/a b", "https://example.com/" + strings.Repeat("a", 900)},
		"Attachments[0].Name":        {"", strings.Repeat("x", 256)},
		"Attachments[0].ContentType": {"pdf", "multipart/mixed", "message/rfc822", "text/plain; charset", "täxt/plain"},
	}
	good := map[string]string{
		"To": "ada@example.com", "ReplyTo": "ada@example.com", "UnsubscribeURL": "https://example.com/",
		"Attachments[0].ContentType": "text/plain",
	}
	for field, set := range fields {
		bad := values[field]
		for _, inject := range []string{
			"\r\nBcc: eve@example.com", "\nBcc: eve@example.com", "\rBcc: eve@example.com", "\r\n\r\nbody", "\r\n.\r\nMAIL FROM:<eve@example.com>",
			"\x00", "\xff", "\x7f", "\u0085",
		} {
			bad = append(bad, good[field]+inject, inject+good[field])
		}
		for _, value := range bad {
			d := delivery("k")
			d.Message.Attachments = []notify.Attachment{{Name: "a", Data: []byte("x")}}
			set(&d.Message, value)
			err := failure(t, p, d)
			require.Equal(t, notify.VerdictPermanent, err.Verdict, "%s: %q", field, value)
			problems := notify.FieldErrors(err)
			require.Len(t, problems, 1, "%s: %q", field, value)
			require.Equal(t, field, problems[0].Field, "%q", value)
			require.NotContains(t, err.Error(), "@example.com, ", "%q", value)
			require.NotContains(t, err.Error(), "eve", "%q", value)
			want := notify.ClassContent
			if field == "To" {
				want = notify.ClassAddress
			}
			require.Equal(t, want, err.Class)
		}
	}
	require.Zero(t, s.connections(), "nothing was sent")
}

func TestEveryProblemIsReported(t *testing.T) {
	t.Parallel()
	p := open(t, smtp.Config{Addr: "localhost:25"})
	_, err := p.Send(t.Context(), notify.Delivery[notify.Email]{Message: notify.Email{
		To: "ada@example.com", Subject: "a\nb",
		Attachments: []notify.Attachment{{Name: "both", Data: []byte("x"), Ref: "r"}, {Name: "none"}},
	}})
	var fields []string
	for _, problem := range notify.FieldErrors(err) {
		fields = append(fields, problem.Field)
	}
	require.Equal(t, []string{"Subject", "Text", "Key", "Attachments[0].Data", "Attachments[1].Data"}, fields)
}
