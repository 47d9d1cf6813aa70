package timeline

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify"
)

// ContentStore is a [Store] that also keeps sealed contents. [Store.Erase] removes
// those of the recipient, and [Store.Erase]'s promise holds for them: nothing
// brings them back. A store may drop them before it drops the notification, and
// says when.
type ContentStore interface {
	Store
	// PutContent keeps the content in place of the one that the leg may have. That of
	// a notification which was erased, or whose recipient was after AcceptedAt, is
	// left out, without an error.
	PutContent(ctx context.Context, s Sealed) error
	// Contents returns those of a notification, by leg: none if there are none.
	Contents(ctx context.Context, notificationID string) ([]Sealed, error)
	// DropContents removes those of a notification.
	DropContents(ctx context.Context, notificationID string) error
}

// Sealed is the content of a leg as a store has it.
type Sealed struct {
	NotificationID string
	Leg            int
	// At is when it was kept, in whole microseconds.
	At time.Time
	// Recipient is the [RecipientHash] of the recipient; empty for one without an
	// ID. AcceptedAt is the notification's. Neither is part of what Contents
	// returns.
	Recipient  string
	AcceptedAt time.Time
	// WrappedKey is the content's own key, under the ring's key KeyID. Without it
	// nobody can read Ciphertext.
	KeyID      string
	WrappedKey []byte
	Ciphertext []byte
}

// about binds what is sealed to its place: moved to another, it does not open.
func (s *Sealed) about() []byte {
	return []byte("notify content 1\n" + strconv.Itoa(s.Leg) + "\n" + s.NotificationID)
}

// Content is what was sent on a leg of a notification, or was about to be: see
// [notify.Notifier.Keep].
type Content struct {
	NotificationID string
	Leg            notify.Leg
	// At is when it was kept, just before it was sent first.
	At time.Time
	// Template and Locale are what it was made from, if it was.
	Template string
	Locale   string
	// Message is the channel's [notify.Message] in JSON, with the recipient's address.
	// It is nil if its Bytes were more than [ContentsConfig.MaxBytes].
	Message json.RawMessage
	Bytes   int
}

// inside is what is sealed.
type inside struct {
	Channel  notify.Channel  `json:"channel"`
	Template string          `json:"template,omitempty"`
	Locale   string          `json:"locale,omitempty"`
	Message  json.RawMessage `json:"message,omitempty"`
	Bytes    int             `json:"bytes"`
}

// ContentsConfig bounds what [Contents] keeps.
type ContentsConfig struct {
	// MaxBytes is how large a message may be, in JSON with its attachments, to be
	// kept. Of a larger one all but the message itself is kept. Default 256 KiB.
	MaxBytes int
}

// Contents keeps what was sent beside a timeline: events hold no content, and a
// host that needs to see it says so by attaching this. Each content is sealed by
// AES-256-GCM under a key of its own, which the ring wraps; both are bound to the
// notification and its leg. So the store's bytes are of no use without the ring.
// What is erased is gone once its wrapped key is; a backup of it is gone, too, once
// the ring's keys were replaced and the old ones destroyed.
//
// It is kept before it is sent (see [notify.Notifier.Keep], whose cost it has): while
// the store or the ring fails, nothing is sent. The work and the records of the
// Notifier hold contents too, unencrypted, until a notification has settled and their
// retention is over; where that matters, keep the timeline in another file or
// database.
//
// All methods are safe for concurrent use.
type Contents struct {
	config ContentsConfig
	store  ContentStore
	keys   KeyRing
	given  Store
}

var _ notify.Attacher = (*Contents)(nil)

// NewContents returns, for [notify.Notifier.Attach], what keeps contents in the
// store, which must be a [ContentStore], as those of this project are. Options
// change its [ContentsConfig].
func NewContents(store Store, keys KeyRing, options ...func(*ContentsConfig)) *Contents {
	c := &Contents{keys: keys, given: store}
	c.store, _ = store.(ContentStore)
	for _, option := range options {
		option(&c.config)
	}
	if c.config.MaxBytes <= 0 {
		c.config.MaxBytes = 256 << 10
	}
	return c
}

// Attach implements [notify.Attacher].
func (c *Contents) Attach(n *notify.Notifier) error {
	if err := c.problem(); err != nil {
		return err
	}
	n.Keep(c.keep)
	return nil
}

func (c *Contents) problem() error {
	var found []error
	wrong := func(problem string) {
		found = append(found, &notify.FieldError{Field: "timeline.NewContents", Problem: problem})
	}
	if c.store == nil {
		wrong(fmt.Sprintf("a %T is no timeline.ContentStore", c.given))
	}
	if c.keys == nil {
		wrong("the key ring is nil; timeline.NewKeyRing makes one")
	}
	return errors.Join(found...)
}

func (c *Contents) keep(ctx context.Context, m notify.Outgoing) error {
	s := Sealed{NotificationID: m.NotificationID, Leg: m.Leg.Leg, At: time.Now().UTC().Truncate(time.Microsecond), AcceptedAt: m.AcceptedAt}
	if m.RecipientID != "" {
		s.Recipient = RecipientHash(m.Tenant, m.RecipientID)
	}
	plain := inside{Channel: m.Leg.Channel, Template: m.Template, Locale: m.Locale, Message: m.Message, Bytes: len(m.Message)}
	if plain.Bytes > c.config.MaxBytes {
		plain.Message = nil
	}
	data, err := json.Marshal(plain)
	if err == nil {
		err = c.seal(ctx, &s, data)
	}
	if err != nil {
		return fmt.Errorf("timeline: seal the content of notification %q: %w", m.NotificationID, err)
	}
	return c.store.PutContent(ctx, s)
}

func (c *Contents) seal(ctx context.Context, s *Sealed, data []byte) error {
	key := make([]byte, keyBytes)
	rand.Read(key) // it never fails
	sealer, err := newCipher(key)
	if err != nil {
		return err
	}
	if s.KeyID, s.WrappedKey, err = c.keys.Wrap(ctx, key, s.about()); err != nil {
		return err
	}
	s.Ciphertext = sealer.Seal(nil, nil, data, s.about())
	return nil
}

// Get returns the contents of a notification, by leg, or an error that wraps
// [notify.ErrNotFound] if there are none, or the ring does not have their key
// any more. A content that was tampered with is an error.
func (c *Contents) Get(ctx context.Context, notificationID string) ([]Content, error) {
	if err := c.problem(); err != nil {
		return nil, err
	}
	found, err := c.store.Contents(ctx, notificationID)
	if err == nil && len(found) == 0 {
		err = notify.ErrNotFound
	}
	var all []Content
	for i := range found {
		if err != nil {
			break
		}
		var one Content
		one, err = c.open(ctx, &found[i])
		all = append(all, one)
	}
	if err != nil {
		return nil, fmt.Errorf("timeline: contents of notification %q: %w", notificationID, err)
	}
	return all, nil
}

func (c *Contents) open(ctx context.Context, s *Sealed) (Content, error) {
	key, err := c.keys.Unwrap(ctx, s.KeyID, s.WrappedKey, s.about())
	if err != nil {
		return Content{}, err
	}
	opener, err := newCipher(key)
	if err != nil {
		return Content{}, err
	}
	var in inside
	data, err := opener.Open(nil, nil, s.Ciphertext, s.about())
	if err == nil {
		err = json.Unmarshal(data, &in)
	}
	if err != nil { // which may tell of the content
		return Content{}, fmt.Errorf("the content of leg %d does not open: it was changed", s.Leg)
	}
	return Content{
		NotificationID: s.NotificationID, Leg: notify.Leg{Leg: s.Leg, Channel: in.Channel}, At: s.At,
		Template: in.Template, Locale: in.Locale, Message: in.Message, Bytes: in.Bytes,
	}, nil
}

// Erase removes the contents of one notification; [Store.Erase] does so for all of
// a recipient. If the notification is still under way, more may be kept later.
func (c *Contents) Erase(ctx context.Context, notificationID string) error {
	if err := c.problem(); err != nil {
		return err
	}
	return c.store.DropContents(ctx, notificationID)
}
