package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/seed-6c01d079/notify"
)

const (
	secretPrefix   = "whsec_"
	minSecretBytes = 24
	maxSecretBytes = 64
	hiddenSecret   = secretPrefix + "[hidden]"
)

// Secret is the key that an endpoint and its sender share, as Standard Webhooks
// 1.0 has it. It hides itself when it is printed, logged or marshaled: only
// [Secret.Reveal] tells it. The zero Secret is none.
type Secret struct{ key string }

// NewSecret makes a secret of 32 random bytes.
func NewSecret() Secret {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	return Secret{key: string(key[:])}
}

// ParseSecret reads what [Secret.Reveal] returns: "whsec_" and 24 to 64 bytes in
// base64. Its error is a [notify.FieldError] without the text.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(key) < minSecretBytes || len(key) > maxSecretBytes || strings.ContainsAny(encoded, "\r\n") {
		return Secret{}, &notify.FieldError{Field: "Secret", Problem: fmt.Sprintf(
			"must be %q and %d to %d bytes in base64; webhook.NewSecret makes one", secretPrefix, minSecretBytes, maxSecretBytes)}
	}
	return Secret{key: string(key)}, nil
}

// IsZero tells whether s is none.
func (s Secret) IsZero() bool { return s.key == "" }

// Reveal returns the secret as text, to be stored, or shown once to the
// endpoint's owner.
func (s Secret) Reveal() string {
	return secretPrefix + base64.StdEncoding.EncodeToString([]byte(s.key))
}

// String implements [fmt.Stringer], and hides the secret.
func (s Secret) String() string { return hiddenSecret }

// Format implements [fmt.Formatter], and hides the secret from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenSecret) }

// MarshalText implements [encoding.TextMarshaler], and hides the secret: a store
// keeps what Reveal returns instead.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hiddenSecret), nil }
