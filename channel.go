package notify

// Channel names a way to reach a recipient. The constants are the channels
// that notify knows how to render by itself; a host adds its own by using a
// [Message] type of its own with [Use] and [Render], and a constant of this
// type for its routes. A name is 1 to 32 characters of a-z, 0-9, '-' and '_'.
type Channel string

// The channels with a message type in this package.
const (
	EmailChannel Channel = "email"
	SMSChannel   Channel = "sms"
	PushChannel  Channel = "push"
	ChatChannel  Channel = "chat"
)

// Message is what a provider of one channel sends: a plain struct that
// encoding/json can write and read back, because it is stored with the intent
// to send it. Channel must return the same name for every value of the type,
// the zero value included.
type Message interface {
	Channel() Channel
}

// Email is the message of [EmailChannel].
type Email struct {
	// To is the recipient's address, and ToName their name, which may be empty.
	To     string `json:"to"`
	ToName string `json:"to_name,omitempty"`
	// Subject is one line.
	Subject string `json:"subject"`
	// Text and HTML are the body's forms; at least one is not empty.
	Text string `json:"text,omitempty"`
	HTML string `json:"html,omitempty"`
	// ReplyTo is an address, or empty.
	ReplyTo string `json:"reply_to,omitempty"`
	// UnsubscribeURL, an https address, becomes List-Unsubscribe (RFC 2369)
	// with List-Unsubscribe-Post for one click (RFC 8058).
	UnsubscribeURL string       `json:"unsubscribe_url,omitempty"`
	Attachments    []Attachment `json:"attachments,omitempty"`
}

// SMS is the message of [SMSChannel].
type SMS struct {
	// To is the recipient's number as E.164 writes it: +49301234567.
	To   string `json:"to"`
	Text string `json:"text"`
}

// Push is the message of [PushChannel], for a device or a browser.
type Push struct {
	// Token is the recipient's registration with the push service.
	Token string            `json:"token"`
	Title string            `json:"title,omitempty"`
	Body  string            `json:"body,omitempty"`
	URL   string            `json:"url,omitempty"`
	Data  map[string]string `json:"data,omitempty"`
}

// Chat is the message of [ChatChannel]: a room or a person in a chat service.
type Chat struct {
	// To is the service's own name of the room or the person.
	To    string `json:"to"`
	Title string `json:"title,omitempty"`
	Text  string `json:"text"`
	URL   string `json:"url,omitempty"`
}

// Channel returns [EmailChannel].
func (Email) Channel() Channel { return EmailChannel }

// Channel returns [SMSChannel].
func (SMS) Channel() Channel { return SMSChannel }

// Channel returns [PushChannel].
func (Push) Channel() Channel { return PushChannel }

// Channel returns [ChatChannel].
func (Chat) Channel() Channel { return ChatChannel }

// Attachment is a file that goes with an e-mail. Exactly one of Data and Ref
// is set.
type Attachment struct {
	// Name is the file's name as the recipient sees it.
	Name string `json:"name"`
	// ContentType is a media type; empty is application/octet-stream.
	ContentType string `json:"content_type,omitempty"`
	// Data is the content itself. It travels with the notification, so it
	// counts towards the cap of its size.
	Data []byte `json:"data,omitempty"`
	// Ref names content that the provider opens when it sends, with the
	// function that the host gave it.
	Ref string `json:"ref,omitempty"`
}
