package notify

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// reported is a provider's later word about an attempt.
type reported struct {
	leg, ordinal int
	// suffix is the end of the event's ID, for engagement without the digest of
	// its content; data is the event.
	suffix string
	at     time.Time
	data   any
	// hard says that the address does not exist.
	hard bool
}

// report stores a provider's word (16). In the receipt window it ends the leg;
// on an open intent it does nothing more, since the write of the outcome looks
// at all evidence.
func (d *decider) report(r *record, rep reported, now time.Time) *change {
	if r.knows(rep) {
		return nil
	}
	c := d.change(r, now)
	c.raise(rep.fullSuffix(now), rep.at, rep.data)
	leg := c.leg(rep.leg)
	if rep.hard {
		c.raise(rep.suffix+".address_invalid", now, AddressInvalid{
			Attempt: c.ref(rep.leg, rep.ordinal), AddressHash: leg.AddressHash,
		})
	}
	if !c.endsBy(leg, rep.ordinal) {
		return c
	}
	switch rep.data.(type) {
	case Delivered:
		c.endLeg(rep.leg, "")
	case Undelivered:
		c.endLeg(rep.leg, EndUndelivered)
	case Bounced:
		c.endLeg(rep.leg, EndBounced)
	}
	return c
}

// knows tells whether the report was stored before.
func (r *record) knows(rep reported) bool {
	if evidence, ok := evidenceOf(&Envelope{}, rep.data); ok {
		return r.Evidence.has(rep.leg, rep.ordinal, evidence.Kind)
	}
	id := r.eventID(rep.suffix) + "."
	for i := range r.Outbox {
		if e := r.Outbox[i].event; e != nil && strings.HasPrefix(e.id, id) {
			return true
		}
	}
	return false
}

// fullSuffix is the end of the event's ID. Engagement that comes again after
// the record's history was trimmed is not known any more, and may come with
// another time: so its ID follows from its content.
func (rep *reported) fullSuffix(seen time.Time) string {
	if _, ok := evidenceOf(&Envelope{}, rep.data); ok {
		return rep.suffix
	}
	content, _ := json.Marshal([]any{rep.at.UTC(), seen.UTC(), rep.data}) // an event of ours always has a form
	sum := sha256.Sum256(content)
	return rep.suffix + "." + base64.RawURLEncoding.EncodeToString(sum[:9])
}

// endsBy tells whether a report about the ordinal may end the leg.
func (c *change) endsBy(leg *legRecord, ordinal int) bool {
	if ordinal != len(leg.Attempts) {
		return false
	}
	if !c.d.keeps(ruleV10) && leg.State == legOpen {
		leg.attempt(ordinal).Over = true
		return true
	}
	if !c.d.keeps(ruleV12) && c.settled() && leg.State == legEnded {
		leg.State = legReceipt
	}
	return leg.State == legReceipt
}
