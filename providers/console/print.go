package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

const maxItem = 200 // bytes of a list's item that are shown

// print writes the field on a line, or, if it is a list or text of several
// lines, indented below its name.
func (f field) print(b *bytes.Buffer) {
	text, block := f.text()
	switch {
	case f.name == "":
		fmt.Fprintln(b, text)
	case block:
		indented := strings.ReplaceAll("\n"+text, "\n", "\n  ")
		fmt.Fprintf(b, "%s:%s\n", f.name, strings.ReplaceAll(indented, "  \n", "\n"))
	default:
		fmt.Fprintf(b, "%s: %s\n", f.name, text)
	}
}

// text is the value for reading: a string without its quotes, and without what
// would move a terminal's cursor; a list with one item a line.
func (f field) text() (text string, block bool) {
	var s string
	if json.Unmarshal(f.value, &s) == nil {
		s = strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
		return strings.Map(visible, s), strings.Contains(s, "\n")
	}
	var list []json.RawMessage
	if json.Unmarshal(f.value, &list) != nil {
		return string(f.value), false
	}
	items := make([]string, len(list))
	for i, item := range list {
		items[i] = string(item)
		if len(item) > maxItem {
			items[i] = strings.ToValidUTF8(string(item[:maxItem]), "") + "..."
		}
	}
	return strings.Join(items, "\n"), true
}

func visible(r rune) rune {
	if r != '\n' && r != '\t' && unicode.IsControl(r) {
		return unicode.ReplacementChar
	}
	return r
}
