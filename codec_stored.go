package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
)

// appendStored appends the fact as one JSON object: an event in the JSON
// format of CloudEvents, the data embedded. What it writes of a fact made here
// is as compact as encoding/json writes, so that the data's bytes outlive
// being part of a larger document.
func (c *codec) appendStored(to []byte, f *fact) ([]byte, error) {
	var found problems
	var buffer [maxAttributes]attribute
	attributes := c.attributes(buffer[:0], f, &found)
	payload := c.payload(f, &found)
	if err := found.err(); err != nil {
		return to, fmt.Errorf("notify: store event: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(f.foreign())) {
		if isExtraAttribute(name) {
			attributes = append(attributes, attribute{name, f.foreign()[name]})
		}
	}
	to = append(to, '{')
	for _, a := range attributes {
		to = append(appendString(to, a.name[len(attributePrefix):]), ':')
		if a.name == attrDepth {
			to = append(to, a.value...)
		} else {
			to = appendString(to, a.value)
		}
		to = append(to, ',')
	}
	to = append(to, `"datacontenttype":"`+contentJSON+`","data":`...)
	to = append(to, payload...)
	return append(to, '}'), nil
}

// loadStored reads what appendStored has written. It keeps none of the bytes.
func (c *codec) loadStored(stored []byte) (*fact, error) {
	stored = bytes.TrimSpace(stored)
	switch {
	case !utf8.Valid(stored):
		return nil, errors.New("notify: load event: must be valid UTF-8")
	case !json.Valid(stored), stored[0] != '{':
		return nil, errors.New("notify: load event: must be a JSON object")
	}
	var m message.Message
	m.Metadata = make(message.Metadata, maxAttributes+1)
	var found problems
	for name, value := range members(stored) {
		switch name {
		case "data":
			m.Payload = bytes.Clone(value)
		case "data_base64":
			found.add("data", "must be JSON")
		case "datacontenttype":
			m.Metadata[contentType] = loadAttribute(name, value, &found)
		default:
			m.Metadata[attributePrefix+name] = loadAttribute(name, value, &found)
		}
	}
	if err := found.err(); err != nil {
		return nil, fmt.Errorf("notify: load event: %w", err)
	}
	return c.decodeBinary(&m)
}

// loadAttribute returns an attribute's value in the form that it has in binary
// mode.
func loadAttribute(name string, value []byte, found *problems) string {
	switch value[0] {
	case '"':
		return unquote(value)
	case '{', '[':
		found.add(name, "must be a string, a number or a boolean")
		return ""
	case 'n':
		return ""
	default:
		return string(value)
	}
}

// appendString appends text as encoding/json writes it.
func appendString(to []byte, text string) []byte {
	for i := range len(text) {
		switch b := text[i]; {
		case b < ' ', b > '~', b == '"', b == '\\', b == '<', b == '>', b == '&':
			quoted, _ := json.Marshal(text) // strings always have a form
			return append(to, quoted...)
		}
	}
	to = append(to, '"')
	to = append(to, text...)
	return append(to, '"')
}
