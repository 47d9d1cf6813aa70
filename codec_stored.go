package notify

import (
	"encoding/json"
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
	for _, name := range slices.Sorted(maps.Keys(f.msg.Metadata)) {
		attributes = append(attributes, attribute{name, f.msg.Metadata[name]})
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

// loadStored reads what appendStored has written.
func (c *codec) loadStored(stored []byte) (*fact, error) {
	if !utf8.Valid(stored) {
		return nil, fmt.Errorf("notify: load event: must be valid UTF-8")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(stored, &fields); err != nil {
		return nil, fmt.Errorf("notify: load event: must be a JSON object%s", jsonProblem(err))
	}
	var m message.Message
	m.Metadata = make(message.Metadata, len(fields))
	var found problems
	for name, value := range fields {
		switch name {
		case "data":
			m.Payload = []byte(value)
		case "data_base64":
			found.add("data", "must be JSON")
		case "datacontenttype":
			m.Metadata[contentType] = loadString(name, value, &found)
		default:
			m.Metadata[attributePrefix+name] = loadString(name, value, &found)
		}
	}
	if err := found.err(); err != nil {
		return nil, fmt.Errorf("notify: load event: %w", err)
	}
	return c.decode(&m)
}

// loadString returns an attribute's value in the form that it has in binary
// mode.
func loadString(name string, value json.RawMessage, found *problems) string {
	var text string
	switch value[0] {
	case '"':
		if inner := value[1 : len(value)-1]; !slices.Contains(inner, '\\') {
			return string(inner)
		}
		if json.Unmarshal(value, &text) != nil {
			found.add(name, "must be a string")
		}
	case '{', '[':
		found.add(name, "must be a string, a number or a boolean")
	case 'n':
	default:
		text = string(value)
	}
	return text
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
