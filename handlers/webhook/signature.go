package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of Standard Webhooks 1.0.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

const (
	signatureVersion = "v1"
	tolerance        = 5 * time.Minute
	maxSignatures    = 16 // that Verify looks at
	maxIDBytes       = 256
)

// ErrUnverified says that a request is not known to come from the sender.
// [Verify]'s errors wrap it and say why.
var ErrUnverified = errors.New("webhook: not verified")

// Sign returns the webhook-signature header of a request: a v1 signature
// (HMAC-SHA256 over "id.timestamp.body") by each of the secrets, separated by
// spaces. What is sent as the id is [HeaderValue] of it, and the timestamp is in
// whole seconds.
func Sign(id string, at time.Time, body []byte, secrets ...Secret) string {
	all := make([]string, len(secrets))
	for i, s := range secrets {
		all[i] = signatureVersion + "," + s.sign(HeaderValue(id), strconv.FormatInt(at.Unix(), 10), body)
	}
	return strings.Join(all, " ")
}

func (s Secret) sign(id, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, []byte(s.key))
	h.Write([]byte(id + "." + timestamp + "."))
	h.Write(body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// Verify checks for a receiver that body, exactly as it came, was signed with
// one of the secrets, no more than five minutes before or after now. Any of the
// header's signatures will do, so that a sender may change its secret, and any
// of the secrets, so that a receiver may. It compares in constant time.
//
// Whoever handles what it lets through has to expect it twice, under the same
// webhook-id. An id with a "." is refused, since it would be ambiguous what was
// signed.
func Verify(header http.Header, body []byte, secrets ...Secret) error {
	id, timestamp, signatures := header.Get(HeaderID), header.Get(HeaderTimestamp), header.Get(HeaderSignature)
	switch {
	case len(secrets) == 0:
		return fmt.Errorf("%w: there is no secret to verify it with", ErrUnverified)
	case id == "" || timestamp == "" || signatures == "":
		return fmt.Errorf("%w: webhook-id, webhook-timestamp or webhook-signature is missing", ErrUnverified)
	case strings.Contains(id, "."):
		return fmt.Errorf("%w: webhook-id has a dot", ErrUnverified)
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != timestamp {
		return fmt.Errorf("%w: webhook-timestamp is not a number of seconds", ErrUnverified)
	}
	now := time.Now()
	switch at := time.Unix(seconds, 0); {
	case at.Before(now.Add(-tolerance)):
		return fmt.Errorf("%w: webhook-timestamp is over %s ago", ErrUnverified, tolerance)
	case at.After(now.Add(tolerance)):
		return fmt.Errorf("%w: webhook-timestamp is over %s ahead", ErrUnverified, tolerance)
	}
	given := strings.SplitN(signatures, " ", maxSignatures+1)
	for _, s := range secrets {
		if s.IsZero() {
			continue
		}
		want := []byte(signatureVersion + "," + s.sign(id, timestamp, body))
		for _, one := range given[:min(len(given), maxSignatures)] {
			if hmac.Equal([]byte(one), want) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: no signature fits", ErrUnverified)
}

// HeaderValue returns an event's ID as webhook-id has it, always the same for
// one ID and different for two: with each byte that is not a letter, a digit or
// one of "-_/:~" as %XX, so that it has no dot, which the signature scheme
// forbids. One that would be over 256 bytes is the SHA-256 of the ID instead.
func HeaderValue(id string) string {
	var value strings.Builder
	for i := range len(id) {
		c := id[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_/:~", c) >= 0:
			value.WriteByte(c)
		default:
			fmt.Fprintf(&value, "%%%02X", c)
		}
	}
	if value.Len() > maxIDBytes {
		sum := sha256.Sum256([]byte(id))
		return "sha256+" + hex.EncodeToString(sum[:])
	}
	return value.String()
}
