package smtp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
)

// message is a mail that has been checked, ready to be written.
type message struct {
	from, to string // of the envelope, in angle brackets
	id       string
	utf8     bool // an address is beyond ASCII
	header   []field
	text     string
	html     string
	files    []file
	open     func(ctx context.Context, ref string) (io.ReadCloser, error)
}

// compose checks the message and makes its header. It reads and sends nothing.
func (p *Provider) compose(d notify.Delivery[notify.Email]) (*message, error) {
	m := &message{
		text: d.Message.Text, html: d.Message.HTML, from: bracketed(p.settings.from), open: p.OpenAttachment,
	}
	var problems []error
	add := func(field, problem string) {
		problems = append(problems, &notify.FieldError{Field: field, Problem: problem})
	}

	email := d.Message
	to, err := parseBare(email.To)
	if err != nil {
		return nil, &notify.SendError{
			Verdict: notify.VerdictPermanent, Class: notify.ClassAddress,
			Err: &notify.FieldError{Field: "To", Problem: "must be one address, without a name"},
		}
	}
	m.to = bracketed(to)
	m.utf8 = !isASCII(p.settings.from.Address) || !isASCII(to.Address)
	to.Name = email.ToName
	if !clean(email.ToName) || len(email.ToName) > 1000 {
		add("ToName", "must be UTF-8 without control characters, at most 1,000 bytes")
	}
	if !clean(strings.ReplaceAll(email.Subject, "\t", " ")) {
		add("Subject", "must be one line of UTF-8, without control characters")
	}
	replyTo := p.settings.replyTo
	if email.ReplyTo != "" {
		if replyTo, err = parseBare(email.ReplyTo); err != nil {
			add("ReplyTo", "must be one address, without a name")
		}
	}
	if replyTo != nil && !isASCII(replyTo.Address) {
		m.utf8 = true
	}
	if !validUnsubscribe(email.UnsubscribeURL) {
		add("UnsubscribeURL", "must be an https address, at most 900 bytes of ASCII")
	}
	if email.Text == "" && email.HTML == "" {
		add("Text", "must not be empty when HTML is")
	}
	if d.Key == "" {
		add("Key", "must not be empty")
	}
	for i, a := range email.Attachments {
		f, err := p.file(i, a)
		if err != nil {
			problems = append(problems, err)
		}
		m.files = append(m.files, f)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, &notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassContent, Err: err}
	}
	for _, f := range m.files {
		if f.ref != "" && p.OpenAttachment == nil {
			return nil, &notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassConfig, Err: errNoOpener}
		}
	}

	m.id = messageID(d.Key, p.settings.from.Address)
	m.compileHeader(p.settings.from, to, replyTo, email)
	return m, nil
}

func (m *message) compileHeader(from, to, replyTo *mail.Address, email notify.Email) {
	add := func(name, value string) { m.header = append(m.header, field{name, value}) }
	add("Date", time.Now().Format(time.RFC1123Z))
	add("Message-ID", m.id)
	add("From", formatAddress(from))
	add("To", formatAddress(to))
	if replyTo != nil {
		add("Reply-To", formatAddress(replyTo))
	}
	add("Subject", encode(email.Subject))
	if email.UnsubscribeURL != "" {
		add("List-Unsubscribe", "<"+email.UnsubscribeURL+">")
		add("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	// RFC 3834, section 5: made by a program, so that no holiday reply comes.
	add("Auto-Submitted", "auto-generated")
	add("MIME-Version", "1.0")
}

// messageID makes the Message-ID of an attempt. The key is hashed, because
// not every key may stand in a header field.
func messageID(key, from string) string {
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("<%s@%s>", hex.EncodeToString(sum[:16]), from[strings.LastIndex(from, "@")+1:])
}

func validUnsubscribe(text string) bool {
	if text == "" {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != "" && len(text) <= 900 &&
		strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>"\^{|}`+"`", r) }) < 0
}

// file is an attachment that has been checked.
type file struct {
	contentType string // with its parameters
	disposition string
	data        []byte
	ref         string // empty: data is the content
}

func (p *Provider) file(i int, a notify.Attachment) (file, error) {
	var problems []error
	add := func(field, problem string) {
		problems = append(problems, &notify.FieldError{Field: fmt.Sprintf("Attachments[%d].%s", i, field), Problem: problem})
	}
	f := file{contentType: "application/octet-stream", data: a.Data, ref: a.Ref}
	if a.Name == "" || len(a.Name) > 255 || !clean(a.Name) {
		add("Name", "must be 1 to 255 bytes of UTF-8 without control characters")
	}
	f.disposition = mime.FormatMediaType("attachment", map[string]string{"filename": a.Name})
	if a.ContentType != "" {
		kind, params, err := mime.ParseMediaType(a.ContentType)
		f.contentType = mime.FormatMediaType(kind, params)
		// RFC 2045, section 6.4: these must not be in base64.
		if err != nil || f.contentType == "" || len(a.ContentType) > 200 || !clean(a.ContentType) ||
			!strings.Contains(kind, "/") || strings.HasPrefix(kind, "multipart/") || strings.HasPrefix(kind, "message/") {
			add("ContentType", "must be a media type, such as application/pdf, and not multipart or message")
		}
	}
	if (len(a.Data) == 0) == (a.Ref == "") {
		add("Data", "must be set, or Ref, and not both")
	}
	return f, errors.Join(problems...)
}
