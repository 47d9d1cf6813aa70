package notify

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// emitMachinery raises an event about the machinery. A failure is logged:
// nobody waits for it.
func (n *Notifier) emitMachinery(ctx context.Context, data any) {
	now := time.Now()
	f := newFact(n.codec, Envelope{ID: newID(now), Source: n.codec.source, Time: now, Seen: now}, data)
	f.Type = f.kind.name
	if err := n.ledger.emit(ctx, f); err != nil {
		n.log.Error("notify: an event about the machinery was lost", "type", f.Type, "error", err)
	}
}

// observerFailed and skipped raise events about the machinery, which breed no
// more of their kind.
func (b *bus) observerFailed(name string, m *message.Message, class ObserverError) {
	if id, kind, ok := aboutEvent(m); ok {
		b.emit(context.Background(), ObserverFailed{Observer: name, EventID: id, EventType: kind, Class: class})
	}
}

func (b *bus) skipped(name string, from, to int64) {
	b.log.Warn("notify: an observer fell too far behind, and was moved forward", "observer", name, "from", from, "to", to)
	b.emit(context.Background(), ObserverSkipped{Observer: name, From: from, To: to})
}

// aboutEvent names the event of a message; ok is false if it is one about
// observers itself.
func aboutEvent(m *message.Message) (id, kind string, ok bool) {
	if f, isLocal := m.Context().(*fact); isLocal {
		id, kind = f.ID, f.Type
	} else {
		id, kind = m.Metadata[attrID], m.Metadata[attrType]
	}
	switch kind {
	case "notify.observer_failed.v1", "notify.observer_skipped.v1", "notify.dead_lettered.v1":
		return id, kind, false
	}
	return id, kind, true
}
