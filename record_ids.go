package notify

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
)

// legID and attemptID are the middle parts of event IDs.
func legID(leg int, kind string) string { return strconv.Itoa(leg) + "/" + kind }

func attemptID(leg, ordinal int, kind string) string {
	return strconv.Itoa(leg) + "." + strconv.Itoa(ordinal) + "/" + kind
}

// eventID is the ID of an event of this record.
func (r *record) eventID(suffix string) string {
	if r.Incarnation != "" {
		return r.ID + "/" + r.Incarnation + "/" + suffix
	}
	return r.ID + "/" + suffix
}

// attemptKey names an attempt to its provider; parseAttemptKey reads it back,
// up to the incarnation.
func (r *record) attemptKey(leg, ordinal int) string {
	id := r.ID
	if r.Incarnation != "" {
		id += "." + r.Incarnation
	}
	return id + "." + strconv.Itoa(leg) + "." + strconv.Itoa(ordinal)
}

func parseAttemptKey(key string) (id string, leg, ordinal int, ok bool) {
	rest, last, ok1 := cutLast(key)
	id, middle, ok2 := cutLast(rest)
	id, _, _ = strings.Cut(id, ".")
	leg, err1 := strconv.Atoi(middle)
	ordinal, err2 := strconv.Atoi(last)
	return id, leg, ordinal, ok1 && ok2 && err1 == nil && err2 == nil && id != ""
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

func itoa(n int) string { return strconv.Itoa(n) }

// messageAlias is the alias of a record by a provider's name for a message.
func messageAlias(provider, messageID string) string {
	sum := sha256.Sum256([]byte(messageID))
	return "message/" + provider + "/" + base64.RawURLEncoding.EncodeToString(sum[:16])
}
