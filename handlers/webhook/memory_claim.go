package webhook

import (
	"container/heap"
	"context"
	"slices"
	"time"
)

// touch puts a queue that has changed where it belongs.
func (m *Memory) touch(q *queue) {
	next, at := q.next()
	lane := q.Lane()
	if q.at >= 0 && (next == nil || q.Disabled != "" || lane != q.lane) {
		heap.Remove(&m.lanes[q.lane], q.at)
	}
	if next == nil || q.Disabled != "" {
		return
	}
	q.lane, q.readyAt = lane, at
	if q.at >= 0 {
		heap.Fix(&m.lanes[lane], q.at)
	} else {
		heap.Push(&m.lanes[lane], q)
	}
}

// Add implements [Store].
func (m *Memory) Add(_ context.Context, message Message) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.messages[message.ID] != nil {
		return 0, nil
	}
	s := &stored{Message: message, waiting: map[*queue]bool{}}
	wanted, added := false, 0
	for _, q := range m.tenants[message.Tenant] {
		if !q.Wants(&message) {
			continue
		}
		if !wanted {
			wanted = true
			m.keep(s)
		}
		if q.Disabled == "" {
			if len(q.waiting) >= m.config.Pending {
				q.dropOldest()
			}
			q.add(s, message.At)
			added++
			m.touch(q)
		}
	}
	return added, nil
}

// keep stores a message, and drops the oldest while there are too many.
func (m *Memory) keep(s *stored) {
	m.numbers++
	s.number = m.numbers
	m.messages[s.ID] = s
	m.log = append(m.log, s)
	m.bytes += len(s.Body)
	for len(m.log) > 1 && (len(m.log) > m.config.Messages || m.bytes > m.config.Bytes) {
		oldest := m.log[0]
		m.log[0] = nil
		m.log = m.log[1:]
		m.bytes -= len(oldest.Body)
		delete(m.messages, oldest.ID)
		for q := range oldest.waiting {
			if i, waits := q.find(oldest.number); waits {
				q.remove(i)
				q.Dropped++
				m.touch(q)
			}
		}
	}
}

// Claim implements [Store].
func (m *Memory) Claim(_ context.Context, c Claiming) ([]Claim, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lane := &m.lanes[c.Lane]
	var claims []Claim
	for len(claims) < c.Limit && lane.Len() > 0 && !(*lane)[0].readyAt.After(c.Now) {
		q := (*lane)[0]
		for _, d := range q.waiting {
			if d.token != 0 && !d.due.After(c.Now) {
				d.token = 0 // its lease is over
			}
		}
		d, _ := q.next()
		m.numbers++
		d.token, d.due = m.numbers, c.Until
		m.touch(q)
		claims = append(claims, Claim{
			Status: q.status(), Message: d.message.Message, Number: d.attempts + 1, Until: c.Until, Token: d.token,
		})
	}
	if lane.Len() == 0 {
		return claims, time.Time{}, nil
	}
	return claims, (*lane)[0].readyAt, nil
}

// Finish implements [Store].
func (m *Memory) Finish(_ context.Context, c Claim, o Outcome) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, found := m.endpoints[c.Status.ID]
	if !found || q.Tenant != c.Status.Tenant {
		return notFound(c.Status.ID)
	}
	i, held := 0, false
	if s := m.messages[c.Message.ID]; s != nil {
		i, held = q.find(s.number)
		held = held && q.waiting[i].token == c.Token
	}
	if held || !slices.Contains(q.ledger, o.Attempt) { // it is not repeated
		q.note(o.Attempt, m.config.Attempts)
	}
	if !held {
		return nil
	}
	if o.Next.IsZero() {
		q.remove(i)
	} else {
		d := q.waiting[i]
		d.attempts, d.due, d.token = c.Number, o.Next, 0
	}
	q.Status.Finish(c, o)
	m.touch(q)
	return nil
}

// Replay implements [Store].
func (m *Memory) Replay(_ context.Context, id string, from time.Time) (int, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, found := m.endpoints[id]
	if !found {
		return 0, time.Time{}, notFound(id)
	}
	defer m.touch(q)
	var missed []*stored
	for _, s := range m.log {
		if !s.At.Before(from) && q.Wants(&s.Message) && !s.waiting[q] {
			missed = append(missed, s)
		}
	}
	slices.SortStableFunc(missed, func(a, b *stored) int { return a.At.Compare(b.At) })
	for count, s := range missed {
		if len(q.waiting) >= m.config.Pending {
			return count, s.At, nil
		}
		q.add(s, s.At)
	}
	return len(missed), time.Time{}, nil
}
