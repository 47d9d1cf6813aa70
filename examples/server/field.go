package main

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/seed-6c01d079/notify"
)

// fieldProblem says where in the request the field is that notify names.
func fieldProblem(f *notify.FieldError) fieldError {
	if f.Field == "Key" {
		return fieldError{Header: keyHeader, Detail: f.Problem}
	}
	return fieldError{Pointer: pointer(f.Field), Detail: f.Problem}
}

// pointer turns the path of a Go field into that of the body's:
// "To.Addresses[email]" is "#/to/addresses/email".
func pointer(field string) string {
	if field == "Notification" {
		return "#"
	}
	var path strings.Builder
	path.WriteString("#/")
	inKey, afterLower := false, false
	for _, r := range field {
		switch {
		case r == '[':
			inKey = true
			path.WriteByte('/')
		case r == ']':
			inKey = false
		case inKey:
			path.WriteString(token(string(r)))
		case r == '.':
			path.WriteByte('/')
		case unicode.IsUpper(r) && afterLower:
			path.WriteByte('_')
			fallthrough
		default:
			path.WriteRune(unicode.ToLower(r))
		}
		afterLower = unicode.IsLower(r)
	}
	return path.String()
}

// token is a part of a JSON Pointer in a URI fragment, as RFC 6901 has it in its
// sections 3 and 6.
func token(name string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
}
