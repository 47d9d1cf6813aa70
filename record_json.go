package notify

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
)

// recordVersion is the newest form of a record that this program reads.
const recordVersion = 1

// recordJSON is a record with its outbox in a form that can be stored.
type recordJSON struct {
	*record
	Outbox []entryJSON `json:"outbox,omitempty"`
}

type entryJSON struct {
	Seq       int64           `json:"seq"`
	Published bool            `json:"published,omitempty"`
	Event     json.RawMessage `json:"event,omitempty"`
	Work      *work           `json:"work,omitempty"`
}

// AppendBinary implements [encoding.BinaryAppender]: a record is what a store
// keeps. It writes what [json.Marshal] would write of a recordJSON, in half
// the time: most of it would be for what is not there.
func (r *record) AppendBinary(to []byte) ([]byte, error) {
	if to == nil {
		to = make([]byte, 0, 512)
	}
	o := object{data: append(to, '{')}
	o.number("v", int64(r.Version), true)
	o.text("id", r.ID, true)
	o.text("fingerprint", r.Fingerprint, false)
	o.text("incarnation", r.Incarnation, false)
	o.value("request", r.Request, r.Request != nil)
	o.value("recipient", r.Recipient, r.Recipient != nil)
	o.text("recipient_id", r.RecipientID, false)
	o.text("tenant", r.Tenant, false)
	o.text("category", r.Category, false)
	o.value("labels", r.Labels, len(r.Labels) > 0)
	o.text("causation_id", r.CausationID, false)
	o.number("depth", int64(r.Depth), false)
	o.text("trace_parent", r.TraceParent, false)
	o.text("trace_state", r.TraceState, false)
	o.time("accepted_at", r.AcceptedAt)
	o.time("deadline", r.Deadline)
	o.time("hold_until", r.HoldUntil)
	o.number("delays", int64(r.Delays), false)
	o.flag("vouched", r.Vouched)
	o.flag("urgent", r.Urgent)
	o.flag("announced", r.Announced)
	o.flag("routed", r.Routed)
	o.value("plan", r.Plan, r.Plan.Leg != 0 || r.Plan.Kind != 0 || r.Plan.Children != nil || r.Plan.OnDoubt)
	o.value("legs", r.Legs, len(r.Legs) > 0)
	o.flag("canceled", r.Canceled)
	o.time("settled_at", r.SettledAt)
	o.value("evidence", r.Evidence, len(r.Evidence) > 0)
	o.number("seq", r.Seq, true)
	o.number("sweeps", int64(r.Sweeps), false)
	o.time("sweep_at", r.SweepAt)
	o.value("stuck", r.Stuck, len(r.Stuck) > 0)
	o.value("aliases", r.Aliases, len(r.Aliases) > 0)
	if len(r.Outbox) > 0 {
		outbox, err := r.outboxJSON()
		o.value("outbox", outbox, true)
		o.err = errors.Join(o.err, err)
	}
	if o.err != nil {
		return nil, fmt.Errorf("notify: encode the record %s: %w", r.ID, o.err)
	}
	return append(o.data, '}'), nil
}

func (r *record) outboxJSON() (outbox []entryJSON, err error) {
	for _, e := range r.Outbox {
		one := entryJSON{Seq: e.seq, Published: e.published, Work: e.work}
		if e.event != nil {
			if one.Event, err = r.codec.appendStored(nil, r.fact(r.codec, e.event)); err != nil {
				return nil, err
			}
		}
		outbox = append(outbox, one)
	}
	return outbox, nil
}

// recordOf returns the record that a store loaded.
func recordOf(stored backend.Record, c *codec) (*record, error) {
	data, ok := stored.Body.(backend.Bytes)
	if !ok {
		if r, ok := stored.Body.(*record); ok {
			return r, nil
		}
		return nil, fmt.Errorf("notify: the record %s holds a %T", stored.ID, stored.Body)
	}
	read := recordJSON{record: &record{}}
	if err := unmarshalExact(data, &read); err != nil {
		return nil, fmt.Errorf("notify: decode the record %s: %w", stored.ID, err)
	}
	r := read.record
	if r.Version > recordVersion {
		return nil, fmt.Errorf("notify: the record %s has version %d, this program knows %d: %w", stored.ID, r.Version, recordVersion, errNewer)
	}
	for _, e := range read.Outbox {
		one := entry{seq: e.Seq, published: e.Published, work: e.Work}
		if len(e.Event) > 0 {
			f, err := c.loadStored(e.Event)
			if err != nil {
				return nil, fmt.Errorf("notify: decode the record %s: %w", stored.ID, err)
			}
			one.event = decidedOf(f)
		}
		r.Outbox = append(r.Outbox, one)
	}
	return r, nil
}
