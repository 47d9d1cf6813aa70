package timeline

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/seed-6c01d079/notify"
)

// CheckErase checks what [Store.Erase] is given, for a store: an empty recipient
// is refused with a [notify.FieldError].
func CheckErase(recipientID string) error {
	if recipientID == "" {
		return &notify.FieldError{Field: "recipientID", Problem: "must not be empty"}
	}
	return nil
}

// RecipientHash names a recipient of a tenant, for a store that has to remember
// that they were erased, without giving their ID away: SHA-256 of both, in
// hexadecimal.
func RecipientHash(tenant, recipientID string) string {
	sum := sha256.Sum256([]byte(RecipientTag(tenant, recipientID).Value))
	return hex.EncodeToString(sum[:])
}

// names tells whether an event of the entry, or its status, names the recipient.
func (h *history) names(tenant, recipientID string) bool {
	if h.status.RecipientID == recipientID && h.status.Tenant == tenant {
		return true
	}
	for i := range h.events {
		if e := &h.events[i].Envelope; e.RecipientID == recipientID && e.Tenant == tenant {
			return true
		}
	}
	return false
}

// graves remember when something was erased: the last of them.
type graves struct {
	at    map[string]time.Time
	order []string
}

func (g *graves) add(name string, at time.Time, most int) {
	if g.at == nil {
		g.at = map[string]time.Time{}
	}
	if _, there := g.at[name]; there {
		g.order = slices.DeleteFunc(g.order, func(other string) bool { return other == name })
	}
	g.order = append(g.order, name)
	g.at[name] = at
	if len(g.order) > most {
		g.drop()
	}
}

func (g *graves) drop() {
	delete(g.at, g.order[0])
	g.order[0] = ""
	g.order = g.order[1:]
}

// expire forgets what was erased before the time.
func (g *graves) expire(before time.Time) {
	for len(g.order) > 0 && g.at[g.order[0]].Before(before) {
		g.drop()
	}
}
