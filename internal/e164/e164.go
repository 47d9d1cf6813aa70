// Package e164 finds the country of a telephone number.
package e164

// longest is how many digits the longest prefix in countries has.
const longest = 4

// Country returns the country that a number belongs to by its first digits, as
// ISO 3166-1 alpha-2 writes it, or nothing if they belong to none. The number
// is as ITU-T E.164 writes it, with a '+'. Where countries share a code, and no
// area codes of the North American Numbering Plan tell them apart, it is the
// main one: numbers of Jersey are British.
func Country(number string) string {
	if len(number) < 2 || number[0] != '+' {
		return ""
	}
	digits := number[1:]
	for n := min(longest, len(digits)); n > 0; n-- {
		if found, ok := countries[digits[:n]]; ok {
			return found
		}
	}
	return ""
}
