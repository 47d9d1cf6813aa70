package cost

import "math"

// add adds without looking for an overflow.
func (c *Count) add(by Count) {
	c.Messages += by.Messages
	c.Segments += by.Segments
	c.Invocations += by.Invocations
	c.Time += by.Time
}

// Add adds a change to a sum, unless one of its numbers had more than int64
// holds: then the error is [ErrOverflow], and the sum is as before.
func (s *Sum) Add(micros int64, c Count) error {
	for _, pair := range [...][2]int64{
		{s.Micros, micros},
		{s.Messages, c.Messages},
		{s.Segments, c.Segments},
		{s.Invocations, c.Invocations},
		{int64(s.Time), int64(c.Time)},
	} {
		if pair[1] > 0 && pair[0] > math.MaxInt64-pair[1] || pair[1] < 0 && pair[0] < math.MinInt64-pair[1] {
			return ErrOverflow
		}
	}
	s.Micros += micros
	s.Count.add(c)
	return nil
}

// IsZero tells whether the sum is of nothing.
func (s *Sum) IsZero() bool { return s.Micros == 0 && s.Count == (Count{}) }
