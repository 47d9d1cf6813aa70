package notify

import "time"

// Notification asks for one message to one recipient. To and one of Content
// and Template are required.
type Notification struct {
	// To is who gets it: [User] for somebody that the [Directory] knows, or a
	// Recipient with addresses.
	To Recipient `json:"to"`
	// Content is the message as plain data, from which every channel's form is
	// made. With Template it only supplies what the template leaves out.
	Content Content `json:"content,omitzero"`
	// Template names a template in [Config.Templates], and Data is what it is
	// executed on ([RenderRequest]). Data is encoded as JSON on the way: at
	// most 32 levels deep, and its strings valid UTF-8.
	Template string         `json:"template,omitempty"`
	Data     map[string]any `json:"data,omitempty"`
	// Route says which channels to use; by default [Config.Route].
	Route Route `json:"route,omitzero"`

	// Key is an idempotency key: a second Send with the same Tenant and Key
	// gives the ID of the first, or [ErrKeyReused] if it asks for something
	// else. At most 255 bytes. It is remembered until [Budgets.Retention] after
	// the first has settled. After that it is a new notification, which is sent:
	// with the same ID, which follows from Tenant and Key, and with other IDs of
	// its events and attempts.
	Key string `json:"key,omitempty"`
	// NotBefore holds the notification until a time, at most 366 days ahead;
	// zero is now.
	NotBefore time.Time `json:"not_before,omitzero"`
	// ExpiresAt is when it is not worth sending any more, at most 366 days
	// after it may first be sent; zero is [Budgets.Message] after that. A time
	// that is past is accepted, and ends as [Expired].
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Urgent uses the urgent lane, which newsletters do not queue in: for
	// one-time codes and the like.
	Urgent bool `json:"urgent,omitempty"`

	// Tenant, Category and Labels are the host's own, and travel with every
	// event: at most 128 bytes each, and 16 labels. They are facts for
	// observers, so keep content and addresses out of them.
	Tenant   string            `json:"tenant,omitempty"`
	Category string            `json:"category,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
}

// Recipient is who a notification goes to.
type Recipient struct {
	// ID is the host's own name for the recipient, and appears in events.
	// Required, unless Addresses is not empty. At most 255 bytes.
	ID string `json:"id,omitempty"`
	// Name is how the recipient is addressed: one line of at most 255 bytes.
	Name string `json:"name,omitempty"`
	// Locale is a language tag such as "de-AT" (BCP 47); it selects templates,
	// and one that selects none is no error.
	Locale string `json:"locale,omitempty"`
	// Addresses holds an address for each channel that the recipient can be
	// reached on. When it is empty, the [Directory] is asked.
	Addresses map[Channel]string `json:"addresses,omitempty"`
}

// User is the recipient that the [Directory] knows by the ID.
func User(id string) Recipient { return Recipient{ID: id} }

// Content is a message before it is given a channel's form.
type Content struct {
	// Title is one line: the subject of a mail, the title of a push.
	Title string `json:"title,omitempty"`
	// Body is plain text.
	Body string `json:"body,omitempty"`
	// HTML is the body of a mail as HTML, beside Body.
	HTML string `json:"html,omitempty"`
	// URL is where the message leads to: http, https or a scheme of the host's
	// own app, of at most 2048 bytes.
	URL string `json:"url,omitempty"`
	// Data travels with a push.
	Data map[string]string `json:"data,omitempty"`
	// ReplyTo, a plain address, and UnsubscribeURL, https in ASCII of at most
	// 900 bytes, become headers of a mail.
	ReplyTo        string `json:"reply_to,omitempty"`
	UnsubscribeURL string `json:"unsubscribe_url,omitempty"`
	// Attachments go with a mail.
	Attachments []Attachment `json:"attachments,omitempty"`
}

func (c *Content) isEmpty() bool {
	return c.Title == "" && c.Body == "" && c.HTML == ""
}
