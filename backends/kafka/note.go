package kafka

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify/backend/window"
)

// note is what is written beside an offset, as its metadata: that everything
// before next is finished too, but for the messages that wait for another
// attempt, or behind one of their key that does. So neither a restart nor
// another member repeats what was finished beyond the first of those, nor begins
// their attempts anew.
type note struct {
	next    int64
	waiting []window.Waiting // by position; the first is the offset itself
}

const (
	noteForm = "notify1 " // so that others' metadata is left alone
	// noteBytes bounds the metadata: offset.metadata.max.bytes is 4,096 by default.
	noteBytes = 4000
)

// newNote makes the note of a position. If it would be too long, it says less.
func newNote(p window.Position, next int64) (low int64, n note) {
	n.next = next
	for _, one := range p.Waiting {
		if one.Position < next {
			n.waiting = append(n.waiting, one)
		}
	}
	if len(n.waiting) == 0 {
		return next, note{}
	}
	return n.waiting[0].Position, n
}

// text is the note in base64 of varints: how far next is from the offset, and
// for each message how far it is from the one before, its attempts, and, if it
// has some, when it is due, in milliseconds.
func (n *note) text() string {
	if len(n.waiting) == 0 {
		return ""
	}
	at, next := n.waiting[0].Position, n.next
	var body []byte
	for _, one := range n.waiting {
		was := len(body)
		body = binary.AppendUvarint(body, uint64(one.Position-at))
		body = binary.AppendUvarint(body, uint64(one.Attempt))
		if one.Attempt > 0 {
			body = binary.AppendUvarint(body, uint64(max(0, millis(one.Due))))
		}
		if len(noteForm)+base64.StdEncoding.EncodedLen(len(body)+binary.MaxVarintLen64) > noteBytes {
			body, next = body[:was], one.Position // reading begins there
			break
		}
		at = one.Position
	}
	head := binary.AppendUvarint(nil, uint64(next-n.waiting[0].Position))
	return noteForm + base64.StdEncoding.EncodeToString(append(head, body...))
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// readNote reads the text beside an offset. It returns false if that is none of
// ours.
func readNote(low int64, text string) (n note, ok bool) {
	text, ours := strings.CutPrefix(text, noteForm)
	body, err := base64.StdEncoding.DecodeString(text)
	if !ours || err != nil {
		return note{}, false
	}
	ok = true
	number := func() int64 {
		x, size := binary.Uvarint(body)
		if size <= 0 || x > 1<<45 { // more than distances and milliseconds are
			ok, body = false, nil
			return 0
		}
		body = body[size:]
		return int64(x)
	}
	n.next = low + number()
	for at := low; ok && len(body) > 0; {
		at += number()
		one := window.Waiting{Position: at, Attempt: int(number())}
		if one.Attempt > 0 {
			if due := number(); due > 0 {
				one.Due = time.UnixMilli(due)
			}
		}
		ok = ok && at < n.next
		n.waiting = append(n.waiting, one)
	}
	return n, ok && len(n.waiting) > 0
}

// from is the note without what is before an offset.
func (n note) from(at int64) note {
	for len(n.waiting) > 0 && n.waiting[0].Position < at {
		n.waiting = n.waiting[1:]
	}
	n.next = max(n.next, at)
	return n
}

// finished tells whether the note says so of a message. It is asked of each
// offset in turn.
func (n *note) finished(at int64) bool {
	if at >= n.next {
		n.waiting = nil
		return false
	}
	for len(n.waiting) > 0 && n.waiting[0].Position < at { // which the topic has no more
		n.waiting = n.waiting[1:]
	}
	if len(n.waiting) == 0 || n.waiting[0].Position > at {
		return true
	}
	n.waiting = n.waiting[1:]
	return false
}
