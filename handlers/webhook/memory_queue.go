package webhook

import (
	"cmp"
	"container/heap"
	"slices"
	"strconv"
	"time"
)

// queue is an endpoint of a [Memory], what waits for it and its ledger.
type queue struct {
	Status
	waiting []*delivery // ordered by their messages' numbers
	ledger  []Attempt   // the oldest first
	lost    int64       // attempts that the ledger has dropped

	// lane and at are the queue's place in a heap, by readyAt; at is -1 if it is
	// in none.
	lane    Lane
	at      int
	readyAt time.Time
}

// delivery is a message that waits for an endpoint.
type delivery struct {
	message  *stored
	attempts int       // made so far
	due      time.Time // of a leased one, when the lease ends
	token    int64     // of the lease; 0: it is not leased
}

func (q *queue) status() Status {
	s := q.Status
	s.Endpoint = s.clone()
	s.Pending = len(q.waiting)
	return s
}

// find returns where the delivery of the message is, or would be.
func (q *queue) find(number int64) (int, bool) {
	return slices.BinarySearchFunc(q.waiting, number, func(d *delivery, n int64) int { return cmp.Compare(d.message.number, n) })
}

// add has the message wait, unless it does already.
func (q *queue) add(s *stored, due time.Time) bool {
	i, waits := q.find(s.number)
	if waits {
		return false
	}
	q.waiting = slices.Insert(q.waiting, i, &delivery{message: s, due: due})
	s.waiting[q] = true
	return true
}

func (q *queue) remove(i int) {
	delete(q.waiting[i].message.waiting, q)
	q.waiting = slices.Delete(q.waiting, i, i+1)
}

// dropOldest makes room, if there is one that is not leased.
func (q *queue) dropOldest() {
	if i := slices.IndexFunc(q.waiting, func(d *delivery) bool { return d.token == 0 }); i >= 0 {
		q.remove(i)
		q.Dropped++
	}
}

// next returns the delivery that is due first, and when it may be claimed; nil
// if nothing waits.
func (q *queue) next() (*delivery, time.Time) {
	if len(q.waiting) == 0 {
		return nil, time.Time{}
	}
	first := q.waiting[0]
	var leases []time.Time // when they end
	for _, d := range q.waiting {
		if d.due.Before(first.due) && !q.Ordered {
			first = d
		}
		if d.token != 0 {
			leases = append(leases, d.due)
		}
	}
	at := first.due
	if over := len(leases) - q.Calls(); over >= 0 {
		slices.SortFunc(leases, time.Time.Compare)
		if free := leases[over]; free.After(at) {
			at = free
		}
	}
	if q.HeldUntil.After(at) {
		at = q.HeldUntil
	}
	return first, at
}

// note adds to the ledger, of which it keeps so many.
func (q *queue) note(a Attempt, most int) {
	q.ledger = append(q.ledger, a)
	if over := len(q.ledger) - most; over > 0 {
		q.ledger = slices.Delete(q.ledger, 0, over)
		q.lost += int64(over)
	}
}

func (q *queue) attempts(query AttemptQuery, before int64) AttemptPage {
	var page AttemptPage
	var last int64
	for i, a := range slices.Backward(q.ledger) {
		number := q.lost + int64(i) + 1
		if number >= before || !query.Matches(&a) {
			continue
		}
		if len(page.Attempts) == query.Limit {
			page.Next = strconv.FormatInt(last, 10)
			break
		}
		page.Attempts, last = append(page.Attempts, a), number
	}
	return page
}

// ready are queues, the one that is ready the longest first.
type ready []*queue

var _ heap.Interface = (*ready)(nil)

func (r ready) Len() int           { return len(r) }
func (r ready) Less(i, j int) bool { return r[i].readyAt.Before(r[j].readyAt) }

func (r ready) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].at, r[j].at = i, j
}

func (r *ready) Push(x any) {
	q := x.(*queue)
	q.at = len(*r)
	*r = append(*r, q)
}

func (r *ready) Pop() any {
	last := len(*r) - 1
	q := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	q.at = -1
	return q
}
