package sqlite

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// maxMessage bounds a message: SQLite's own limit of a value is a billion
// bytes.
const maxMessage = 256 << 20

// row is a message as it is stored.
type row struct {
	uuid, key, metadata string
	payload             any // a string or []byte
	size                int
	decoded             message.Metadata // what metadata was made of; the message's own, up to own
}

// rowOf encodes a message.
func rowOf(m *message.Message) (*row, error) {
	if m == nil {
		return nil, errors.New("the message is nil")
	}
	m, err := backend.Wire(m)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	r := &row{uuid: m.UUID, key: backend.Key(m), payload: content(m.Payload), decoded: m.Metadata}
	if r.metadata, err = encodeMetadata(m.Metadata); err != nil {
		return nil, err
	}
	if r.size = len(m.Payload) + len(r.metadata); r.size > maxMessage {
		return nil, fmt.Errorf("the message has %d bytes; at most %d are allowed", r.size, maxMessage)
	}
	return r, nil
}

// own has the row share nothing with the message that it was made of.
func (r *row) own() {
	r.decoded = maps.Clone(r.decoded)
	if data, ok := r.payload.([]byte); ok {
		r.payload = bytes.Clone(data)
	}
}

// copy returns the message, as one that is the caller's.
func (r *row) copy() *message.Message {
	m := message.NewMessage(r.uuid, nil)
	switch payload := r.payload.(type) {
	case string:
		m.Payload = []byte(payload)
	case []byte:
		m.Payload = bytes.Clone(payload)
	}
	maps.Copy(m.Metadata, r.decoded)
	return m
}

// content is data in the form in which people can read it, if there is one.
func content(data []byte) any {
	if utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 {
		return string(data)
	}
	return data
}

// storedRow is a message as it is read.
type storedRow struct {
	uuid              string
	metadata, payload []byte
	due               sql.NullString
}

// PositionMetadata is the metadata entry of a message whose own metadata does
// not decode, which only somebody who writes to the file can bring about: it is
// delivered with nothing but its position, for its handler to refuse.
const PositionMetadata = "sqlite_position"

// message decodes the message at the position.
func (r *storedRow) message(position int64) *message.Message {
	m := message.NewMessage(r.uuid, r.payload)
	if json.Unmarshal(r.metadata, &m.Metadata) != nil || m.Metadata == nil {
		m.Metadata = message.Metadata{PositionMetadata: strconv.FormatInt(position, 10)}
	}
	return m
}
