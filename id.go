package notify

import (
	"encoding/binary"
	"encoding/hex"
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
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], milli<<16|0x7000|rest*subMilli/1e6)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()>>2|1<<63)
	var text [36]byte
	hex.Encode(text[:], id[:4])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	hex.Encode(text[9:], id[4:6])
	hex.Encode(text[14:], id[6:8])
	hex.Encode(text[19:], id[8:10])
	hex.Encode(text[24:], id[10:])
	return string(text[:])
}
