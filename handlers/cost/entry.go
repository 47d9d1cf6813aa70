package cost

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Group is what costs are grouped by. For a message, Observer is empty; for an
// observer's invocations, all fields but Observer and Event are.
type Group struct {
	Tenant   string
	Channel  notify.Channel
	Category string
	Provider string
	Country  string
	// Observer is its name, and Event the type of the event on the wire.
	Observer string
	Event    string
}

// Count is how much there was of what costs money.
type Count struct {
	// Messages were taken by a provider, in so many Segments, as far as they are
	// known.
	Messages, Segments int64
	// Invocations of observers' handlers took that Time together.
	Invocations int64
	Time        time.Duration
}

// Source says where a cost comes from. Of several the greatest counts.
type Source int

// The sources.
const (
	// Unpriced: nobody has said. The cost is zero, in no currency.
	Unpriced Source = iota
	// ByBook: from the price book.
	ByBook
	// ByReceipt: the provider said so when it took the message.
	ByReceipt
	// ByReport: the provider said so later. Of several reports the latest
	// counts.
	ByReport
	// ByHost: set by [Ledger.Correct]. Of several the latest counts.
	ByHost
)

// Entry is one item of a ledger: a message that a provider took, or what one
// process has used of an observer for events of one type in one period. What is
// known of an entry comes in parts, and any of them may come again: they are put
// together by [Entry.Join].
type Entry struct {
	// ID is the entry's own name, the same for all its parts.
	ID string
	// NotificationID is the message's; an observer's is empty.
	NotificationID string
	Group
	// Month is when it counts, as "2006-01", and Day as "2006-01-02" if days are
	// counted too; both in the ledger's time zone.
	Month, Day string
	// At is when it happened, in UTC and whole microseconds.
	At time.Time
	Count
	// Facts ranks the source of the fields above: of several parts the one with the
	// greatest Facts counts, of two equal ones the one with the smaller By, the ID
	// of an event. Zero is a part that tells only the cost.
	Facts int64
	By    string
	// Cost is the whole entry's, and zero without a currency if it is unpriced.
	Cost   notify.Cost
	Source Source
	// PricedAt is when the cost was known, in UTC and whole microseconds, and
	// PricedBy the ID of the event that told it. Of one Source the latest counts, of
	// two at the same time the one with the smaller PricedBy.
	PricedAt time.Time
	PricedBy string
}

// Join returns what is known when e comes to what was known before. In which
// order parts come, and how often, makes no difference; but if one part comes
// again with another cost, because the price book has changed, the one that came
// last counts.
func (e Entry) Join(known Entry) Entry {
	joined := e
	if order := cmp.Or(cmp.Compare(known.Facts, e.Facts), cmp.Compare(e.By, known.By)); order > 0 {
		joined = known
	}
	priced := e
	if cmp.Or(cmp.Compare(known.Source, e.Source), known.PricedAt.Compare(e.PricedAt), cmp.Compare(e.PricedBy, known.PricedBy)) > 0 {
		priced = known
	}
	joined.Cost, joined.Source, joined.PricedAt, joined.PricedBy = priced.Cost, priced.Source, priced.PricedAt, priced.PricedBy
	return joined
}

// Check returns what is wrong with the entry, as [notify.FieldError].
func (e Entry) Check() error {
	var found problems
	found.when(e.ID == "", "Entry.ID", "is required")
	found.when((e.NotificationID == "") == (e.Observer == ""), "Entry.NotificationID", "is required, or Group.Observer, and not both")
	found.when(!validMonth(e.Month), "Entry.Month", `must be a month, such as "2026-03"`)
	found.when(e.Day != "" && !validDay(e.Day), "Entry.Day", `must be a day, such as "2026-03-14", or empty`)
	found.when(e.At.IsZero(), "Entry.At", "is required")
	for _, n := range [...]int64{e.Messages, e.Segments, e.Invocations, int64(e.Time)} {
		if n < 0 || n > maxCount {
			found.add("Entry.Count", fmt.Sprintf("must be from 0 to %d", int64(maxCount)))
			break
		}
	}
	found.when(e.Messages == 0 && e.Invocations == 0, "Entry.Count", "must have a message or an invocation")
	found.when(e.Source < Unpriced || e.Source > ByHost, "Entry.Source", "is none")
	found.when(e.Cost.Micros < 0 || e.Cost.Micros > maxMicros, "Entry.Cost.Micros", fmt.Sprintf("must be from 0 to %d", int64(maxMicros)))
	found.when(e.Cost.Currency == "" && (e.Source != Unpriced || e.Cost.Micros != 0) || e.Cost.Currency != "" && !validCurrency(e.Cost.Currency),
		"Entry.Cost.Currency", notACurrency)
	return errors.Join(found...)
}

// maxCount bounds what an entry counts.
const maxCount = 1 << 58

func validMonth(month string) bool {
	_, err := time.Parse(monthLayout, month)
	return err == nil
}

func validDay(day string) bool {
	_, err := time.Parse(dayLayout, day)
	return err == nil
}

const (
	monthLayout = "2006-01"
	dayLayout   = "2006-01-02"
)
