package notify

import (
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
