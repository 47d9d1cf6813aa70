package smtp

import (
	"encoding/base64"
	"errors"
	"net/mail"
	"strings"
	"unicode/utf8"
)

const (
	maxLine = 76 // RFC 2047, section 2: of a line with an encoded word
	maxWord = 60 // longer words are encoded, so that a field can be folded
)

var errAddress = errors.New("not an address")

// field is one header field. The value is ASCII, or UTF-8 in a mail that asks
// for SMTPUTF8, and has no line break.
type field struct{ name, value string }

// writeTo writes the field, folded at spaces (RFC 5322, section 2.2.3).
func (f field) writeTo(b *strings.Builder) {
	b.WriteString(f.name + ":")
	line := len(f.name) + 1
	for i, word := range strings.Split(f.value, " ") {
		if i > 0 && word != "" && line+1+len(word) > maxLine {
			b.WriteString("\r\n")
			line = 0
		}
		b.WriteString(" " + word)
		line += 1 + len(word)
	}
	b.WriteString("\r\n")
}

// plain tells whether text can stand in a header field as it is, and come out
// of unfolding as it was.
func plain(text string) bool {
	if text == "" {
		return true
	}
	for _, word := range strings.Split(text, " ") {
		if word == "" || len(word) > maxWord || strings.Contains(word, "=?") {
			return false
		}
		for i := range len(word) {
			if word[i] <= ' ' || word[i] > '~' {
				return false
			}
		}
	}
	return true
}

// encode returns text for an unstructured field: as it is, or in encoded words
// (RFC 2047), each of whole characters.
func encode(text string) string {
	if plain(text) {
		return text
	}
	const chunk = 36 // bytes; 60 characters when encoded
	var words []string
	for text != "" {
		n := min(chunk, len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		words = append(words, "=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte(text[:n]))+"?=")
		text = text[n:]
	}
	return strings.Join(words, " ")
}

// formatAddress returns an address with its name, as a header field has it.
func formatAddress(a *mail.Address) string {
	if a.Name == "" || plain(a.Name) {
		return a.String()
	}
	return encode(a.Name) + " " + bracketed(a)
}

// bracketed returns an address as the envelope has it: <user@example.com>.
func bracketed(a *mail.Address) string {
	return (&mail.Address{Address: a.Address}).String()
}

// parseNamed parses an address that may have a name.
func parseNamed(text string) (*mail.Address, error) {
	if !clean(text) {
		return nil, errAddress
	}
	a, err := mail.ParseAddress(text)
	if err != nil || !clean(a.Name) || !clean(a.Address) || len(a.Address) > 320 || len(a.Name) > 1000 {
		return nil, errAddress
	}
	return a, nil
}

// parseBare parses an address without a name.
func parseBare(text string) (*mail.Address, error) {
	a, err := parseNamed(text)
	if err != nil || a.Name != "" || strings.ContainsAny(text, "<>()") {
		return nil, errAddress
	}
	return a, nil
}

// clean tells whether text is UTF-8 without control characters.
func clean(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, isControl) < 0
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}
