package backend

import (
	"context"
	"encoding"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Record is what a store keeps under an ID. All its fields are the caller's
// except Revision.
type Record struct {
	// ID is not empty and at most 255 bytes.
	ID string
	// Revision counts the writes of the record: 1 after the first. 0 says
	// that it does not exist yet.
	Revision int64
	// Body is the content. It never changes once handed to Store: a store in
	// the caller's process keeps the value itself, any other keeps its
	// AppendBinary and loads a [Bytes].
	Body encoding.BinaryAppender
	// Aliases are other names that LoadAlias finds the record by. They are
	// only ever added to; an alias that another record holds already stays
	// with that one.
	Aliases []string
	// Due is when the record has to be looked at; zero is never.
	Due time.Time
	// Expires is when the record may be deleted; zero is never.
	Expires time.Time
}

// Bytes is the Body of a record as a store that keeps bytes loads it.
type Bytes []byte

// AppendBinary implements [encoding.BinaryAppender].
func (b Bytes) AppendBinary(to []byte) ([]byte, error) { return append(to, b...), nil }

// Records keeps records, each changed by compare-and-set. It may be a
// [Backend] too, or stand by itself. All methods are safe for concurrent use.
type Records interface {
	// Load returns the record, or an error that wraps [ErrNotFound].
	Load(ctx context.Context, id string) (Record, error)
	// LoadAlias returns the record that holds the alias, or an error that
	// wraps [ErrNotFound].
	LoadAlias(ctx context.Context, alias string) (Record, error)
	// Store writes r if the stored revision is r.Revision (0: if there is
	// none), and returns the new revision. Otherwise it changes nothing and
	// returns an error that wraps [ErrConflict]. Any other error leaves it
	// open whether r was written. A store at its cap drops records
	// without a Due time, the soonest to expire first, or else refuses new
	// ones with [ErrOverloaded]; it never refuses changes of old ones.
	Store(ctx context.Context, r Record) (revision int64, err error)
	// Due returns up to limit IDs of records that are due at now, the longest
	// overdue first, and when the next one after those is due (zero: none is,
	// as far as is known).
	Due(ctx context.Context, now time.Time, limit int) (ids []string, next time.Time, err error)
	// Expire deletes up to limit records that expired before now, with their
	// aliases, and returns how many.
	Expire(ctx context.Context, now time.Time, limit int) (int, error)
	// Delete removes the record with its aliases if the stored revision is
	// the given one; otherwise the error wraps [ErrConflict]. Deleting what
	// does not exist is no error.
	Delete(ctx context.Context, id string, revision int64) error
}

// Publication is a message on its way to a topic.
type Publication struct {
	Topic   string
	Message *message.Message
	// Local is in the place of Message where the backend is a [LocalPublisher].
	Local Local
	// At is the time before which it is not delivered; zero is now.
	At time.Time
}

// Entry is the message, or the value in its place; nil if there is neither.
func (p Publication) Entry() Entry {
	switch {
	case p.Local != nil:
		return p.Local
	case p.Message != nil:
		return EntryOf(p.Message)
	default:
		return nil
	}
}

// Atomic is a [Backend] that keeps [Records] too, and can change both at once.
type Atomic interface {
	Backend
	Records
	// Commit does Store(r) and publishes out, in order, or does neither.
	// Whoever sees a message of out finds the record as written, or newer.
	Commit(ctx context.Context, r Record, out []Publication) (revision int64, err error)
}

// Transactor is a [Backend] that is [Atomic], or [Records], whose database the
// host's own transactions may write to.
type Transactor interface {
	// Within returns tx as a [Transaction]. Its error says which types of tx it
	// takes.
	Within(tx any) (Transaction, error)
}

// Transaction is a transaction of the host's: others see what is done in it
// once the host has committed. It is used by one goroutine.
type Transaction interface {
	// Load is [Records].Load, as the transaction sees it.
	Load(ctx context.Context, id string) (Record, error)
	// Commit does in the transaction what [Atomic].Commit does, and commits
	// nothing. With Records that are no Backend, what is published goes to an
	// outbox, which has to be forwarded. After an error that wraps neither
	// [ErrConflict] nor ErrNotFound the transaction is of no use any more.
	Commit(ctx context.Context, r Record, out []Publication) (revision int64, err error)
}

// DeadLetter is a message that an observer could not handle.
type DeadLetter struct {
	// ID names the dead letter; the store makes it.
	ID string
	// Group is the observer's, Topic where the message was read.
	Group, Topic string
	// Message is the message in its wire form.
	Message *message.Message
	// Class says why it failed, from a closed list; Error is a sanitised
	// text for people. Neither holds content or addresses.
	Class, Error string
	// Attempts is how often it was delivered.
	Attempts int
	// At is when it was given up.
	At time.Time
}

// DeadLetters keeps dead letters. It may be a [Backend] too. All methods are
// safe for concurrent use.
type DeadLetters interface {
	// Bury stores d and returns its ID. A store at its cap drops its oldest
	// letter, and says so by dropped.
	Bury(ctx context.Context, d DeadLetter) (id string, dropped bool, err error)
	// Letters returns up to limit letters of the group (empty: of all
	// groups), oldest first, after the one whose ID is given (empty: from the
	// start).
	Letters(ctx context.Context, group, after string, limit int) ([]DeadLetter, error)
	// Unbury removes the letter, or returns an error that wraps ErrNotFound.
	Unbury(ctx context.Context, id string) error
}

// DeadLetterCounter is a [DeadLetters] that can count its letters without
// reading them.
type DeadLetterCounter interface {
	// CountLetters returns how many letters each group has, of those that have
	// any.
	CountLetters(ctx context.Context) (map[string]int64, error)
}

// SecretKeeper is a [Backend] that makes and keeps random secrets: one whose
// data is not shared with other processes, so that they need not agree on a
// secret.
type SecretKeeper interface {
	// Secret returns 32 random bytes, for one name always the same.
	Secret(ctx context.Context, name string) ([]byte, error)
}
