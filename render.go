package notify

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// RenderRequest is what a message is made from: a renderer gets it, and
// templates are executed on it ({{.Recipient.Name}}, {{.Data.order}}). It is
// shared: do not change what it points to.
type RenderRequest struct {
	NotificationID string
	// Channel is the message's, and Address the recipient's address on it.
	Channel Channel
	Address string
	// Recipient, Content, Template and the rest are as the notification has
	// them, Recipient as the [Directory] completed it.
	Recipient Recipient
	Content   Content
	Template  string
	// Data is as encoding/json reads it back, with each number a json.Number.
	// Templates see every number in it as one that compares with any other and
	// prints in full.
	Data             map[string]any
	Tenant, Category string
	Labels           map[string]string
}

// renderDefault makes the message of one of the four channels of this package.
// A template's parts come before Content's; without a form for the channel, it
// is all Content's, if that has anything. The locale is that of the template
// that was found. The error of a missing template or form wraps ErrNotFound,
// that of a channel of the host's own ErrUnsupported; none holds a data value.
func renderDefault(req RenderRequest, t *templates) (m Message, locale string, err error) {
	switch req.Channel {
	case EmailChannel, SMSChannel, PushChannel, ChatChannel:
	default:
		return nil, "", fmt.Errorf("notify: render: %w: no renderer for the channel; register one with notify.Render", ErrUnsupported)
	}
	var made parts
	if req.Template != "" {
		found, err := t.find(req.Template, req.Channel, req.Recipient.Locale)
		switch {
		case err == nil:
			if made, err = found.execute(req); err != nil {
				return nil, "", err
			}
			locale = found.locale
		case !t.known(req.Template) || req.Content.isEmpty():
			return nil, "", err
		}
	}
	switch req.Channel {
	case EmailChannel:
		m = renderEmail(req, made)
	case SMSChannel:
		m = renderSMS(req, made)
	case PushChannel:
		m = renderPush(req, made)
	case ChatChannel:
		m = renderChat(req, made)
	}
	if err := validateMessage(m); err != nil {
		return nil, "", fmt.Errorf("notify: render: %w", err)
	}
	return m, locale, nil
}

// parts are the outputs of a form, by the part's name.
type parts map[string]string

func (p parts) or(part, otherwise string) string {
	if made, ok := p[part]; ok {
		return made
	}
	return otherwise
}

func renderEmail(req RenderRequest, made parts) Email {
	c := req.Content
	text := c.Body
	if text == "" && c.HTML == "" {
		text = c.Title
	}
	if text != "" || c.HTML == "" {
		text = withURL(text, c.URL)
	}
	if _, ok := made["html"]; ok && c.Body == "" {
		text = "" // the template's HTML stands alone, unless it has a text too
	}
	return Email{
		To:             req.Address,
		ToName:         req.Recipient.Name,
		Subject:        made.or("subject", subject(c)),
		Text:           made.or("text", text),
		HTML:           made.or("html", c.HTML),
		ReplyTo:        c.ReplyTo,
		UnsubscribeURL: c.UnsubscribeURL,
		Attachments:    c.Attachments,
	}
}

func renderSMS(req RenderRequest, made parts) SMS {
	c := req.Content
	text := c.Body
	if text == "" {
		text = c.Title
	}
	return SMS{To: req.Address, Text: made.or("text", withURL(text, c.URL))}
}

func renderPush(req RenderRequest, made parts) Push {
	c := req.Content
	return Push{
		Token: req.Address,
		Title: made.or("title", c.Title),
		Body:  made.or("body", c.Body),
		URL:   made.or("url", c.URL),
		Data:  c.Data,
	}
}

func renderChat(req RenderRequest, made parts) Chat {
	c := req.Content
	title, text := c.Title, c.Body
	if text == "" {
		title, text = "", c.Title
	}
	return Chat{
		To:    req.Address,
		Title: made.or("title", title),
		Text:  made.or("text", text),
		URL:   made.or("url", c.URL),
	}
}

// maxSubject bounds, in runes, the subject that is made from a body.
const maxSubject = 78

// subject is the title, or else the first line of the body that says
// something.
func subject(c Content) string {
	if c.Title != "" {
		return c.Title
	}
	for line := range strings.FieldsFuncSeq(c.Body, endsLine) {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" {
			continue
		}
		if utf8.RuneCountInString(line) > maxSubject {
			line = string([]rune(line)[:maxSubject-1]) + "…"
		}
		return line
	}
	return ""
}

func endsLine(r rune) bool { return r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' }

// withURL puts the URL on a line of its own, unless the text has it.
func withURL(text, url string) string {
	switch {
	case url == "" || strings.Contains(text, url):
		return text
	case text == "":
		return url
	default:
		return strings.TrimRight(text, " \r\n") + "\n" + url
	}
}
