// Package gsm counts the segments that a text message is sent in.
package gsm

import (
	"strings"
	"unicode/utf16"
)

// The characters of the GSM 7 bit default alphabet (3GPP TS 23.038, section
// 6.2.1), and those of its extension table, which take two places.
const (
	basic    = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	extended = "\f^{}\\[~]|€"
)

// What a message holds that is alone, and each part of one that is not, whose
// header takes the rest (3GPP TS 23.040, section 9.2.3.24.1): septets, or with
// another character anywhere in the text, units of UCS-2.
const (
	septets, partSeptets = 160, 153
	units, partUnits     = 70, 67
)

// Segments returns in how many messages the text is sent; at least one. No
// character is divided between two, as none that takes two places may be.
// Alphabets for single languages, which few networks support, are not used.
func Segments(text string) int {
	total, parts, left := 0, 1, partSeptets
	for _, r := range text {
		size := 1
		switch {
		case strings.ContainsRune(basic, r):
		case strings.ContainsRune(extended, r):
			size = 2
		default:
			return wide(text)
		}
		total += size
		if left < size {
			parts, left = parts+1, partSeptets
		}
		left -= size
	}
	if total <= septets {
		return 1
	}
	return parts
}

func wide(text string) int {
	total, parts, left := 0, 1, partUnits
	for _, r := range text {
		size := max(utf16.RuneLen(r), 1)
		total += size
		if left < size {
			parts, left = parts+1, partUnits
		}
		left -= size
	}
	if total <= units {
		return 1
	}
	return parts
}
