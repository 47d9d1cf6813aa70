package cost

import (
	"testing"
	"time"

	"github.com/seed-6c01d079/notify"
)

// AgesOf is how much is kept of the order in which entries are forgotten.
func AgesOf(m *Memory) int { return len(m.oldest) }

// Tallies is of how many observers and types of event it is known what was used.
func Tallies(l *Ledger) int { return len(l.usage.tallies) }

// DayOf is when the day of a time begins and ends.
func DayOf(at time.Time, in *time.Location) (begin, end time.Time) {
	return periodBegin(at, in, true), periodEnd(at, in, true)
}

// PriceOf is what a message costs by the book, in millionths; -1 if it has no
// price.
func PriceOf(b Book, c notify.Channel, provider, country string, at time.Time) int64 {
	m, ok := newPrices(b).message(c, provider, country, at)
	if !ok {
		return -1
	}
	return m.cost(1).Micros
}

// GuardOf is the guard of a ledger that is attached to nothing, which remembers
// 1,000 accounts and holds 20,000 notifications.
func GuardOf(t *testing.T, l *Ledger) notify.Guard {
	t.Helper()
	l.prices, l.guard = newPrices(l.book), newGuard(l)
	l.guard.maxAccounts, l.guard.maxHolds = 1000, 20_000
	return l.guard.decide
}

// Remembered is how many accounts and holds a guard has.
func Remembered(l *Ledger) (accounts, holds int) { return len(l.guard.accounts), l.guard.holding }

// UsedBy is what invocations cost at a price, in millionths.
func UsedBy(p ObserverPrice, invocations int64, took time.Duration) int64 {
	c, _ := newPrices(Book{Currency: "EUR", Observers: []ObserverPrice{p}}).observer("o", invocations, took)
	return c.Micros
}
