package timeline

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Position is an entry's place in a list: lists are in descending order of At,
// then of ID, byte by byte. The zero Position comes before all others.
type Position struct {
	At time.Time
	ID string
}

// Compare returns -1 if p is older than other, so that it comes later in a
// list, 1 if it is newer, and otherwise 0. The zero Position is the newest.
func (p Position) Compare(other Position) int {
	if p.IsZero() || other.IsZero() {
		return cmp.Compare(newest(p), newest(other))
	}
	return cmp.Or(p.At.Compare(other.At), cmp.Compare(p.ID, other.ID))
}

func newest(p Position) int {
	if p.IsZero() {
		return 1
	}
	return 0
}

// IsZero tells whether p is the zero Position.
func (p Position) IsZero() bool { return p.ID == "" && p.At.IsZero() }

// A cursor is, in base64url without padding (RFC 4648, section 5): the version,
// the time in microseconds since 1970 and the ID, with a checksum before.
const (
	cursorVersion  = 1
	cursorOverhead = crc32.Size + 1 + 8
)

// Cursor returns the position as [Page.Next] has it; the zero Position's is
// empty.
func (p Position) Cursor() string {
	if p.IsZero() {
		return ""
	}
	c := make([]byte, crc32.Size, cursorOverhead+len(p.ID))
	c = append(c, cursorVersion)
	c = binary.BigEndian.AppendUint64(c, uint64(p.At.UnixMicro()))
	c = append(c, p.ID...)
	binary.BigEndian.PutUint32(c, crc32.ChecksumIEEE(c[crc32.Size:]))
	return base64.RawURLEncoding.EncodeToString(c)
}

func parseCursor(cursor string) (Position, error) {
	if cursor == "" {
		return Position{}, nil
	}
	bad := &notify.FieldError{Field: "Query.After", Problem: "is not the Next of a page; leave it empty to begin anew"}
	c, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(c) <= cursorOverhead {
		return Position{}, bad
	}
	micros := int64(binary.BigEndian.Uint64(c[crc32.Size+1:]))
	p := Position{At: time.UnixMicro(micros).UTC(), ID: string(c[cursorOverhead:])}
	if year := p.At.Year(); year < 0 || year > 9999 { // which no event has, nor every store
		return Position{}, bad
	}
	if p.Cursor() != cursor { // version, checksum, and nothing ignored in the text
		return Position{}, bad
	}
	return p, nil
}
