package notify

import "time"

type legState string

const (
	legWaiting legState = ""        // not started
	legOpen    legState = "open"    // being sent
	legReceipt legState = "receipt" // sent, and the provider will report
	legEnded   legState = "ended"
)

// legRecord is one leg. Its current attempt is the last of Attempts, or, if
// that is over, the next one, which has not begun.
type legRecord struct {
	Channel Channel  `json:"channel"`
	State   legState `json:"state,omitempty"`
	// Reason is why it ended; empty is success.
	Reason    EndReason `json:"reason,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
	// NextAt is when its next move is due: the next call, or the end of the
	// receipt window.
	NextAt   time.Time       `json:"next_at,omitzero"`
	Message  *rendered       `json:"message,omitempty"` // dropped when it ends
	Attempts []attemptRecord `json:"attempts,omitempty"`
	// Country and Segments are those of an SMS, since it was rendered.
	Country  string `json:"country,omitempty"`
	Segments int    `json:"segments,omitempty"`
	// AddressHash is the keyed hash of the recipient's address.
	AddressHash string `json:"address_hash,omitempty"`
	// Out are the providers whose turn is over, and why.
	Out map[string]EndReason `json:"out,omitempty"`
	// Failure is that of the last call.
	Failure Failure `json:"failure,omitzero"`
	// Guard and GuardReason are set if a guard suppressed it.
	Guard       string `json:"guard,omitempty"`
	GuardReason string `json:"guard_reason,omitempty"`
	Delays      int    `json:"delays,omitempty"`
	// Held is how long guards have held it: no budget counts that.
	Held  time.Duration    `json:"held,omitempty"`
	Stuck map[Phase]string `json:"stuck,omitempty"`
}

// attemptRecord is one ordinal of a leg: one provider, one key.
type attemptRecord struct {
	Provider string `json:"provider"`
	Key      string `json:"key"`
	// Granted counts the epochs: each is one execution's right to call once.
	// Answered has the epochs that were answered, Refused those of them that
	// were answered no.
	Granted  int   `json:"granted"`
	Answered []int `json:"answered,omitempty"`
	Refused  []int `json:"refused,omitempty"`
	// Canceled says that it was unanswered when the notification was canceled.
	Canceled bool `json:"canceled,omitempty"`
	// Lost says that an answer got lost.
	Lost      bool      `json:"lost,omitempty"`
	Lease     lease     `json:"lease,omitzero"`
	FirstCall time.Time `json:"first_call"`
	// Held is the leg's, when it began.
	Held time.Duration `json:"held,omitempty"`
	// MessageIDs are the provider's names for what it took.
	MessageIDs []string `json:"message_ids,omitempty"`
	// Asks counts how often the provider was asked in vain.
	Asks int  `json:"asks,omitempty"`
	Over bool `json:"over,omitempty"`
}

// lease is one execution's claim on an attempt, until a time.
type lease struct {
	Owner string    `json:"owner"`
	Until time.Time `json:"until"`
}

// current is the ordinal that the leg is at, which may not have begun.
func (l *legRecord) current() int {
	n := len(l.Attempts)
	if n == 0 || l.Attempts[n-1].Over {
		return n + 1
	}
	return n
}

// attempt returns the ordinal's record, or nil if it has not begun.
func (l *legRecord) attempt(ordinal int) *attemptRecord {
	if ordinal < 1 || ordinal > len(l.Attempts) {
		return nil
	}
	return &l.Attempts[ordinal-1]
}

// budgetEnd is when the leg begins no more attempts.
func (l *legRecord) budgetEnd(channel time.Duration) time.Time {
	return l.StartedAt.Add(l.Held + channel)
}

// calls counts the leg's calls to the provider, and from when its budget
// counts: the first call, moved by what guards have held the leg since.
func (l *legRecord) calls(provider string) (n int, first time.Time) {
	for i := range l.Attempts {
		if a := &l.Attempts[i]; a.Provider == provider {
			if n == 0 {
				first = a.FirstCall.Add(l.Held - a.Held)
			}
			n += a.Granted
		}
	}
	return n, first
}

// dueAt is when the leg's next move is due: never while a lease lives.
func (l *legRecord) dueAt() time.Time {
	if a := l.attempt(l.current()); a != nil {
		return later(l.NextAt, a.Lease.Until)
	}
	return l.NextAt
}

// unanswered tells whether a granted epoch has not been answered.
func (a *attemptRecord) unanswered() bool { return len(a.Answered) < a.Granted }

// allRefused tells whether every granted epoch was answered no, and no answer
// was lost.
func (a *attemptRecord) allRefused() bool { return !a.Lost && len(a.Refused) == a.Granted }
