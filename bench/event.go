package bench

import "time"

// Event is the event of the job: the size of one that a shop would publish.
type Event struct {
	// Seq counts the events of one bus, from 1.
	Seq      uint64    `json:"seq"`
	Order    string    `json:"order"`
	Customer string    `json:"customer"`
	Cents    int64     `json:"cents"`
	Currency string    `json:"currency"`
	PaidAt   time.Time `json:"paid_at"`
}

// NewEvent returns the event with that number.
func NewEvent(seq uint64) Event {
	return Event{
		Seq: seq, Order: "o_2026_000123", Customer: "u_42", Cents: 12_345, Currency: "EUR",
		PaidAt: time.Date(2026, 11, 5, 9, 30, 0, 0, time.UTC),
	}
}
