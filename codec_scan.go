package notify

import (
	"bytes"
	"encoding/json"
)

// members yields the names and the values of a JSON object that is known to
// be valid, without decoding the values: a map of encoding/json takes three
// times as long, and records are read at every step.
func members(object []byte) func(yield func(name string, value []byte) bool) {
	return func(yield func(name string, value []byte) bool) {
		for at := 1; ; {
			begin := bytes.IndexByte(object[at:], '"')
			if begin < 0 {
				return
			}
			nameEnd := valueEnd(object, at+begin)
			name := unquote(object[at+begin : nameEnd])
			value := nameEnd + bytes.IndexByte(object[nameEnd:], ':') + 1
			value += spaces(object[value:])
			at = valueEnd(object, value)
			if !yield(name, object[value:at:at]) {
				return
			}
		}
	}
}

// valueEnd returns where the value ends that begins at the byte.
func valueEnd(text []byte, begin int) int {
	depth := 0
	for i := begin; i < len(text); i++ {
		switch text[i] {
		case '"':
			i++
			for text[i] != '"' {
				if text[i] == '\\' {
					i++
				}
				i++
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return i // of the object that the value is in
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

func spaces(text []byte) int {
	return len(text) - len(bytes.TrimLeft(text, " \t\r\n"))
}

// unquote returns what a JSON string says.
func unquote(quoted []byte) string {
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	var text string
	_ = json.Unmarshal(quoted, &text) // the string is known to be valid
	return text
}
