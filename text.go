package notify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"unicode"
	"unicode/utf8"
)

// clip shortens text to at most n bytes of valid UTF-8 without control
// characters.
func clip(text string, n int) string {
	clean := make([]byte, 0, min(len(text), n))
	for _, r := range text {
		if unicode.IsControl(r) || r == utf8.RuneError {
			r = ' '
		}
		if len(clean)+utf8.RuneLen(r) > n {
			break
		}
		clean = utf8.AppendRune(clean, r)
	}
	return string(clean)
}

// maxCode bounds what is kept of a provider's code or a guard's reason.
const maxCode = 64

func clipCode(code string) string {
	for i := range len(code) {
		if i >= maxCode || code[i] < ' ' || code[i] > '~' {
			return clip(code, maxCode)
		}
	}
	return code
}

func failureOf(err *SendError) Failure {
	if err == nil {
		return Failure{}
	}
	return Failure{Verdict: err.Verdict, Class: err.Class, Code: clipCode(err.Code)}
}

// with returns the list with value in it. It never changes the list's array.
func with[T comparable](list []T, value T) []T {
	if slices.Contains(list, value) {
		return list
	}
	return append(slices.Clip(list), value)
}

// messageAlias is the alias of a record by a provider's name for a message.
func messageAlias(provider, messageID string) string {
	sum := sha256.Sum256([]byte(messageID))
	return "message/" + provider + "/" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// withEntry returns the map with an entry more. It never changes the map.
func withEntry[K comparable, V any](m map[K]V, key K, value V) map[K]V {
	next := maps.Clone(m)
	if next == nil {
		next = map[K]V{}
	}
	next[key] = value
	return next
}

// unmarshalExact decodes JSON with numbers of unknown type kept as they are
// written.
func unmarshalExact(data []byte, to any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(to)
}

// isNil tells whether an interface holds nothing, or a nil pointer.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Interface, reflect.Chan:
		return r.IsNil()
	default:
		return false
	}
}
