package durable

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// messageOf is the n-th message: an event of the usual size, of one of 1,000
// notifications.
func messageOf(n int64) *message.Message {
	id := strconv.FormatInt(n, 10)
	m := message.NewMessage(id, []byte(`{"provider":"smtp","provider_message_id":"<`+id+`@example.com>","channel":"email","attempt":1,"cost":{"amount":"0.0004","currency":"EUR"}}`))
	m.Metadata = message.Metadata{
		"ce_specversion": "1.0", "ce_id": id, "ce_type": "notify.sent.v1", "ce_source": "bench", "ce_time": "2026-11-25T12:00:00Z",
		"ce_subject": "n_" + id, backend.KeyMetadata: "n_" + strconv.FormatInt(n%1000, 10), "content-type": "application/json",
	}
	return m
}

// rowOf is the same message as a row.
func rowOf(n int64) (Row, error) {
	m := messageOf(n)
	metadata, err := json.Marshal(m.Metadata)
	return Row{ID: m.UUID, Key: backend.Key(m), Metadata: metadata, Payload: m.Payload}, err
}

// newRecord is as large as that of a notification which has been accepted, and
// has the same times.
func newRecord() *Record {
	now := time.Now()
	return &Record{Body: body, Due: now.Add(time.Minute), Expires: now.Add(8 * 24 * time.Hour)}
}

var body = []byte(`{"request":"` + strings.Repeat("x", 1000) + `"}`)
