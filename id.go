package notify

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// newID returns a UUID of version 7 (RFC 9562, section 5.7), with the fraction
// of the millisecond after the milliseconds, as method 3 of section 6.2 has it,
// and 62 random bits. It is unique, and no secret.
func newID(now time.Time) string {
	const subMilli = 1 << 12
	nanos := now.UnixNano()
	milli, rest := uint64(nanos/1e6), uint64(nanos%1e6)
	high := milli<<16 | 0x7000 | rest*subMilli/1e6
	low := rand.Uint64()>>2 | 1<<63
	var text [36]byte
	binary.BigEndian.PutUint64(text[:], hexDigits(uint32(high>>32)))
	middle := hexDigits(uint32(high))
	binary.BigEndian.PutUint32(text[9:], uint32(middle>>32))
	binary.BigEndian.PutUint32(text[14:], uint32(middle))
	middle = hexDigits(uint32(low >> 32))
	binary.BigEndian.PutUint32(text[19:], uint32(middle>>32))
	binary.BigEndian.PutUint32(text[24:], uint32(middle))
	binary.BigEndian.PutUint64(text[28:], hexDigits(uint32(low)))
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// hexDigits returns the eight digits of v as characters, the first in the
// highest byte: all at once, since every event has an ID.
func hexDigits(v uint32) uint64 {
	const each = 0x0101010101010101
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	letters := (x + 6*each) >> 4 & each
	return x + '0'*each + letters*('a'-'0'-10)
}
