package notify

import "time"

// Event is what an observer gets: the facts in Data, and in the envelope
// which notification they are about. Events are shared between observers, so
// nobody may change what Data and Labels point to.
type Event[T any] struct {
	Envelope
	Data T
}

// Envelope is the part that all events have. On the wire it is the context
// attributes of CloudEvents 1.0.
type Envelope struct {
	// ID names the event: a fact that is published again has the same ID.
	ID string
	// Type is the event's type on the wire, such as "notify.sent.v1".
	Type string
	// Source is [Config.Source] of the program that raised the event.
	Source string
	// NotificationID is empty for events about the machinery.
	NotificationID string
	// RecipientID, Tenant, Category and Labels are the host's own, as given
	// with the notification.
	RecipientID string
	Tenant      string
	Category    string
	Labels      map[string]string
	// Time is when it happened, and Seen when notify learnt of it; they differ
	// for what a provider reports later.
	Time time.Time
	Seen time.Time
	// CausationID is the ID of the event that this one answers, if it was
	// raised in an observer, or that it is about, if an observer failed on that;
	// Depth counts the links of that chain.
	CausationID string
	Depth       int
	// TraceParent and TraceState are the W3C Trace Context of the Send.
	TraceParent string
	TraceState  string
}

// Raw is the data of an event whose type this program does not know; an
// observer of Event[any] gets it. It is the payload as it came.
type Raw []byte
