package sqlite

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
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
	payload             any
	size                int
	message             *message.Message // in its wire form
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
	r := &row{uuid: m.UUID, key: backend.Key(m), metadata: "{}", payload: content(m.Payload), message: m}
	if len(m.Metadata) > 0 {
		for name, value := range m.Metadata {
			if !utf8.ValidString(name) || !utf8.ValidString(value) {
				return nil, fmt.Errorf("the metadata %q is not valid UTF-8", name)
			}
		}
		data, err := json.Marshal(m.Metadata)
		if err != nil {
			return nil, fmt.Errorf("encode metadata: %w", err)
		}
		r.metadata = string(data)
	}
	if r.size = len(m.Payload) + len(r.metadata); r.size > maxMessage {
		return nil, fmt.Errorf("the message has %d bytes; at most %d are allowed", r.size, maxMessage)
	}
	return r, nil
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
