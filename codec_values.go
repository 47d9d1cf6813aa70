package notify

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The types of CloudEvents 1.0.2 ("Type System") in their canonical text.

// attributeProblem says what keeps value from being a String of CloudEvents,
// or nothing.
func attributeProblem(value string) string {
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return unicodeProblem(value[i:])
		}
	}
	return ""
}

func unicodeProblem(value string) string {
	if !utf8.ValidString(value) {
		return "must be valid UTF-8"
	}
	for _, r := range value {
		if forbiddenRune(r) {
			return "must not hold control characters"
		}
	}
	return ""
}

// forbiddenRune tells of control characters and of Unicode's noncharacters.
func forbiddenRune(r rune) bool {
	return r < ' ' || 0x7f <= r && r <= 0x9f || 0xfdd0 <= r && r <= 0xfdef || r&0xfffe == 0xfffe
}

// sourceProblem says what keeps source from being that of an event, or
// nothing: it has to be a URI reference (RFC 3986).
func sourceProblem(source string) string {
	switch _, err := url.Parse(source); {
	case source == "":
		return "must not be empty"
	case err != nil, attributeProblem(source) != "", strings.ContainsAny(source, " <>\"{}|\\^`"):
		return "must be a URI reference, such as /shop/orders"
	default:
		return ""
	}
}

func formatTime(name string, t time.Time, found *problems) string {
	if t.IsZero() {
		return ""
	}
	checkTime(name, t, found)
	return t.UTC().Format(time.RFC3339Nano)
}

func checkTime(name string, t time.Time, found *problems) {
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		found.add(name, "must be in the years 0 to 9999")
	}
}

func parseTime(name, value string, found *problems) time.Time {
	if value == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, value)
	if t = t.UTC(); err != nil || t.Year() < 0 || t.Year() > 9999 {
		found.add(name, "must be a time as RFC 3339 writes it")
	}
	return t
}

// formatLabels writes the labels in the order of their names.
func formatLabels(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	text, _ := json.Marshal(labels) // strings always have a form
	if attributeProblem(string(text)) == "" {
		return string(text)
	}
	escaped := make([]byte, 0, len(text)+16)
	for _, r := range string(text) {
		switch {
		case !forbiddenRune(r):
			escaped = utf8.AppendRune(escaped, r)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
	}
	return string(escaped)
}

func parseLabels(value string, found *problems) map[string]string {
	if value == "" {
		return nil
	}
	var labels map[string]string
	if err := json.Unmarshal([]byte(value), &labels); err != nil || labels == nil {
		found.add(attrLabels, "must be a JSON object of strings")
	}
	if len(labels) == 0 {
		return nil
	}
	return labels
}

func formatDepth(depth int, found *problems) string {
	if depth < 0 || depth > 1<<31-1 {
		found.add(attrDepth, "must be from 0 to 2147483647")
	}
	if depth == 0 {
		return ""
	}
	return strconv.Itoa(depth)
}

func parseDepth(value string, found *problems) int {
	if value == "" {
		return 0
	}
	depth, err := strconv.ParseInt(value, 10, 32)
	if err != nil || depth < 0 {
		found.add(attrDepth, "must be an integer from 0 to 2147483647")
	}
	return int(depth)
}
