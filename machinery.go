package notify

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// emitMachinery raises an event about the machinery, or about what became of an
// event: then that is its cause, so that answers to it do not go on for ever. A
// failure is logged: nobody waits for it.
func (n *Notifier) emitMachinery(ctx context.Context, data any, about *Envelope) {
	now := time.Now()
	e := Envelope{ID: newID(now), Source: n.codec.source, Time: now, Seen: now}
	if about != nil {
		e.CausationID, e.Depth = about.ID, about.Depth+1
	}
	f := newFact(n.codec, e, data)
	f.Type = f.kind.name
	if err := n.ledger.emit(ctx, f); err != nil {
		n.log.Error("notify: an event about the machinery was lost", "type", f.Type, "error", err)
	}
}

// observerFailed and skipped raise events about the machinery, which breed no
// more of their kind.
func (b *bus) observerFailed(name string, m *message.Message, class ObserverError) {
	if about, ok := aboutEvent(m); ok {
		b.emit(context.Background(), ObserverFailed{Observer: name, EventID: about.ID, EventType: about.Type, Class: class}, about)
	}
}

func (b *bus) skipped(name string, from, to int64) {
	b.log.Warn("notify: an observer fell too far behind, and was moved forward", "observer", name, "from", from, "to", to)
	b.emit(context.Background(), ObserverSkipped{Observer: name, From: from, To: to}, nil)
}

// aboutEvent is the event of a message, of its Envelope what names it and its
// Depth; ok is false if it is one about observers itself.
func aboutEvent(m *message.Message) (about *Envelope, ok bool) {
	if f, isLocal := m.Context().(*fact); isLocal {
		about = &Envelope{ID: f.ID, Type: f.Type, Depth: f.Depth}
	} else {
		about = &Envelope{ID: m.Metadata[attrID], Type: m.Metadata[attrType]}
		about.Depth = parseDepth(m.Metadata[attrDepth], &problems{})
	}
	switch about.Type {
	case "notify.observer_failed.v1", "notify.observer_skipped.v1", "notify.dead_lettered.v1":
		return about, false
	}
	return about, true
}
