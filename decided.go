package notify

import "time"

// decided is an event as the record keeps it: what the record does not know
// already. The fact that travels is made of it anew, with the same content.
type decided struct {
	id       string
	kind     *eventKind
	at, seen time.Time
	data     any
	source   string
	// loaded is the fact as a store kept it, which may have attributes of a
	// later version; nil if the event was decided here.
	loaded *fact
}

func decidedOf(f *fact) *decided {
	return &decided{id: f.ID, kind: f.kind, at: f.Time, seen: f.Seen, data: f.data(), source: f.Source, loaded: f}
}

// envelope is what the event's fact has.
func (r *record) envelope(e *decided) Envelope {
	if e.loaded != nil {
		return *e.loaded.Envelope
	}
	return Envelope{
		ID:             e.id,
		Type:           e.kind.name,
		Source:         e.source,
		NotificationID: r.ID,
		RecipientID:    r.RecipientID,
		Tenant:         r.Tenant,
		Category:       r.Category,
		Labels:         r.Labels,
		Time:           e.at,
		Seen:           e.seen,
		CausationID:    r.CausationID,
		Depth:          r.Depth,
		TraceParent:    r.TraceParent,
		TraceState:     r.TraceState,
	}
}

// event is what an observer gets.
func (r *record) event(e *decided) Event[any] {
	return Event[any]{Envelope: r.envelope(e), Data: e.data}
}

// fact is what is published.
func (r *record) fact(c *codec, e *decided) *fact {
	if e.loaded != nil {
		return e.loaded
	}
	f := anyFactOf(e.kind, e.data)
	*f.Envelope = r.envelope(e)
	return f
}
