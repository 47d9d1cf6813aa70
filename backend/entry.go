package backend

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Entry is what a topic holds: a message, or a [Local] value in its place.
type Entry interface {
	// Key is the key: entries of one key keep their order, and those without
	// share one lane.
	Key() string
	// Wire returns the message itself, or a new one with the value encoded.
	Wire() (*message.Message, error)
}

// Local is a value of this process that stands for a message. Where a message
// is asked for, it is the context of an empty one.
type Local interface {
	context.Context
	Entry
}

// plain is a message as an Entry.
type plain message.Message

func (p *plain) message() *message.Message { return (*message.Message)(p) }

// Key implements [Entry].
func (p *plain) Key() string { return p.message().Metadata[KeyMetadata] }

// Wire implements [Entry].
func (p *plain) Wire() (*message.Message, error) { return p.message(), nil }

// EntryOf returns the message as an entry: the [Local] that is its context, or
// the message itself.
func EntryOf(m *message.Message) Entry {
	if local, ok := m.Context().(Local); ok {
		return local
	}
	return (*plain)(m)
}

// MessageOf undoes [EntryOf]: it returns the message itself, or a new one whose
// context is the [Local].
func MessageOf(e Entry) *message.Message {
	switch e := e.(type) {
	case *plain:
		return e.message()
	case Local:
		m := new(message.Message)
		m.SetContext(e)
		return m
	default:
		return nil
	}
}

// Key returns the message's key: of its [Local] context, or of its metadata.
// Messages without a key share one lane.
func Key(m *message.Message) string { return EntryOf(m).Key() }

// Wire returns m itself when it has a payload of its own, and the encoded
// copy of a [Local] message.
func Wire(m *message.Message) (*message.Message, error) { return EntryOf(m).Wire() }
