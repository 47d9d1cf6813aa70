package notify

import (
	"encoding/json"
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
// keeps.
func (r *record) AppendBinary(to []byte) ([]byte, error) {
	stored := recordJSON{record: r}
	for _, e := range r.Outbox {
		one := entryJSON{Seq: e.seq, Published: e.published, Work: e.work}
		if e.event != nil {
			event, err := r.codec.appendStored(nil, r.fact(r.codec, e.event))
			if err != nil {
				return nil, fmt.Errorf("notify: encode the record %s: %w", r.ID, err)
			}
			one.Event = event
		}
		stored.Outbox = append(stored.Outbox, one)
	}
	data, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("notify: encode the record %s: %w", r.ID, err)
	}
	if to == nil {
		return data, nil
	}
	return append(to, data...), nil
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
		return nil, fmt.Errorf("notify: the record %s has version %d, this program knows %d: %w", stored.ID, r.Version, recordVersion, ErrUnsupported)
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
