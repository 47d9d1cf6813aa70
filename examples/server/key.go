package main

import (
	"errors"
	"net/http"
	"strings"
)

const keyHeader = "Idempotency-Key"

// idempotencyKey reads the header of draft-ietf-httpapi-idempotency-key-header,
// section 2.1: a String of RFC 8941, section 3.3.3. No header is no key.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values(keyHeader)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", errors.New("has to be given once")
	}
	malformed := errors.New(`has to be a string in double quotes, of 1 to 255 printable ASCII characters, such as "8e03978e-40d5-43e8-bc93-6894a57f9324"`)
	inner, opened := strings.CutPrefix(strings.Trim(values[0], " "), `"`)
	var key strings.Builder
	for i := 0; opened && i < len(inner); i++ {
		c := inner[i]
		switch {
		case c == '"':
			if i != len(inner)-1 || key.Len() == 0 || key.Len() > 255 {
				return "", malformed
			}
			return key.String(), nil
		case c == '\\':
			i++
			if i == len(inner) || inner[i] != '"' && inner[i] != '\\' {
				return "", malformed
			}
			c = inner[i]
		case c < ' ' || c > '~':
			return "", malformed
		}
		key.WriteByte(c)
	}
	return "", malformed
}
