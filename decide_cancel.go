package notify

import "time"

// cancel marks the record (19). It returns the change, nil if it was canceled
// before, and whether the answer is canceled rather than pending. Who asks again
// after it has settled hears the same, if canceling was what ended it.
func (d *decider) cancel(r *record, now time.Time) (c *change, canceled bool, err error) {
	if r.settled() {
		if !r.Canceled || r.inDoubt() || r.overtook() {
			return nil, false, ErrTooLate
		}
		return nil, true, nil
	}
	canceled = !d.keeps(ruleV6) || !r.inDoubt()
	if r.Canceled {
		return nil, canceled && !r.overtook(), nil
	}
	c = d.change(r, now)
	c.announce()
	c.Canceled = true
	if c.Request == nil {
		return c, canceled, nil // a tombstone: the route step settles it
	}
	c.raise("canceled", now, Canceled{InDoubt: r.inDoubt()})
	for i := range c.Legs {
		leg := &c.Legs[i]
		for j := range leg.Attempts {
			leg.Attempts[j].Canceled = leg.Attempts[j].unanswered()
		}
		switch {
		case leg.State == legReceipt:
			c.endLeg(i+1, "")
		case leg.State == legOpen && leg.attempt(leg.current()) == nil:
			c.endLeg(i+1, EndCanceled)
		}
	}
	c.advance(0)
	return c, canceled, nil
}

// overtook tells whether a call that was unanswered when the notification was
// canceled had its effect.
func (r *record) overtook() bool {
	for i := range r.Legs {
		for j := range r.Legs[i].Attempts {
			if r.Legs[i].Attempts[j].Canceled && r.hadEffect(i+1, j+1) {
				return true
			}
		}
	}
	return false
}

// inDoubt tells whether a granted epoch has not been answered.
func (r *record) inDoubt() bool {
	for i := range r.Legs {
		for j := range r.Legs[i].Attempts {
			if r.Legs[i].Attempts[j].unanswered() {
				return true
			}
		}
	}
	return false
}
