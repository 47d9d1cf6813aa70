package timeline

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"

	"github.com/seed-6c01d079/notify"
)

// KeyRing wraps the keys that contents are sealed with, one for each: the host's
// own, such as a key management service, or [NewKeyRing]. It is used by many
// goroutines at once. Its errors are logged, and must hold no key.
type KeyRing interface {
	// Wrap seals the key under the ring's current key, bound to the context that
	// about is, and returns the ID of the current key.
	Wrap(ctx context.Context, key, about []byte) (keyID string, wrapped []byte, err error)
	// Unwrap opens what Wrap sealed. If the ring does not have the key any more,
	// the error wraps [notify.ErrNotFound].
	Unwrap(ctx context.Context, keyID string, wrapped, about []byte) (key []byte, err error)
}

// keyRing wraps with AES-256-GCM.
type keyRing struct {
	current string
	ciphers map[string]cipher.AEAD
}

// NewKeyRing returns a ring of keys of 32 bytes, by their IDs; the current one
// wraps, by AES-256-GCM (NIST SP 800-38D) with a random nonce, so replace it before
// it has wrapped some four billion contents. To rotate, add a key and make it the
// current one; an earlier one is needed for as long as there are contents that it
// wrapped, which is as long as the store keeps them. Taking it out makes them
// unreadable. IDs are stored beside the contents. What is wrong is a
// [notify.FieldError].
func NewKeyRing(current string, keys map[string][]byte) (KeyRing, error) {
	ring := &keyRing{current: current, ciphers: map[string]cipher.AEAD{}}
	var problems []error
	wrong := func(field, problem string) {
		problems = append(problems, &notify.FieldError{Field: field, Problem: problem})
	}
	for id, key := range keys {
		if id == "" || len(id) > maxLabel {
			wrong("keys", fmt.Sprintf("an ID must have 1 to %d bytes", maxLabel))
		}
		sealer, err := newCipher(key)
		if err != nil {
			wrong(fmt.Sprintf("keys[%q]", id), "must have 32 bytes")
			continue
		}
		ring.ciphers[id] = sealer
	}
	if _, there := keys[current]; !there {
		wrong("current", "is not the ID of one of the keys")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return ring, nil
}

func (r *keyRing) Wrap(_ context.Context, key, about []byte) (string, []byte, error) {
	return r.current, r.ciphers[r.current].Seal(nil, nil, key, about), nil
}

func (r *keyRing) Unwrap(_ context.Context, keyID string, wrapped, about []byte) ([]byte, error) {
	opener, there := r.ciphers[keyID]
	if !there {
		return nil, fmt.Errorf("timeline: the key ring has no key %q: %w", keyID, notify.ErrNotFound)
	}
	key, err := opener.Open(nil, nil, wrapped, about)
	if err != nil {
		return nil, fmt.Errorf("timeline: what is sealed under the key %q does not open: it was changed, or the key was", keyID)
	}
	return key, nil
}

// newCipher seals with AES-256-GCM; nonces are random, and come first.
func newCipher(key []byte) (cipher.AEAD, error) {
	if len(key) != keyBytes {
		return nil, fmt.Errorf("timeline: a key must have %d bytes", keyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

const keyBytes = 32
