package timeline

import (
	"iter"
	"slices"
)

// listed is a history that is in a list at some place. Events may have moved
// the history's own place since.
type listed struct {
	history
	in *ordered
	at Position
}

// ordered is a list, the oldest first.
type ordered []*listed

func (o ordered) find(at Position) int {
	i, _ := slices.BinarySearchFunc(o, at, func(h *listed, at Position) int { return h.at.Compare(at) })
	return i
}

// before returns what is older than the position.
func (o ordered) before(at Position) ordered { return o[:o.find(at)] }

func (o *ordered) insert(h *listed) { *o = slices.Insert(*o, o.find(h.at), h) }

func (o *ordered) remove(h *listed) {
	i := o.find(h.at)
	if i == 0 { // the oldest goes often: move nothing
		(*o)[0] = nil
		*o = (*o)[1:]
		return
	}
	*o = slices.Delete(*o, i, i+1)
}

// newestFirst yields what is in either list.
func newestFirst(a, b ordered) iter.Seq[*listed] {
	return func(yield func(*listed) bool) {
		for len(a) > 0 || len(b) > 0 {
			from := &a
			if len(a) == 0 || len(b) > 0 && b[len(b)-1].at.Compare(a[len(a)-1].at) > 0 {
				from = &b
			}
			last := len(*from) - 1
			if !yield((*from)[last]) {
				return
			}
			*from = (*from)[:last]
		}
	}
}
