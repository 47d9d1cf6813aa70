package cost

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/internal/e164"
)

const (
	// maxAccounts bounds the sums that a guard remembers, and maxHolds what it
	// holds. Beyond it one is forgotten with what is held of it, and nothing more is
	// held.
	maxAccounts = 100_000
	maxHolds    = 1_000_000
)

// guard keeps the budgets.
type guard struct {
	ledger                *Ledger
	maxAccounts, maxHolds int

	mu       sync.Mutex // guards the following
	accounts map[accountKey]*account
	asking   map[accountKey]*question
	holds    map[string][]*hold // by notification
	holding  int
	swept    time.Time // when all were looked through last
}

// hold is what a notification is taken to cost until that is counted.
type hold struct {
	account *account
	id      string
	micros  int64
	until   time.Time
	counted time.Time // when its message was; zero if it is not known to be
}

func newGuard(l *Ledger) *guard {
	return &guard{ledger: l, maxAccounts: maxAccounts, maxHolds: maxHolds, accounts: map[accountKey]*account{}, asking: map[accountKey]*question{}, holds: map[string][]*hold{}}
}

// decide is the [notify.Guard]. What passes is held.
func (g *guard) decide(ctx context.Context, r notify.GuardRequest) (notify.Decision, error) {
	var without []notify.Channel
	var taken []*hold
	ways := reachable(r)
	refuse := func(d notify.Decision, err error) (notify.Decision, error) {
		g.release(taken)
		return d, err
	}
	for i := range g.ledger.config.Budgets {
		b := &g.ledger.config.Budgets[i]
		if !b.covers(r) {
			continue
		}
		c := g.claim(i, b, r)
		passes, held, err := g.take(ctx, b, c)
		if held != nil {
			taken = append(taken, held)
		}
		switch {
		case err != nil:
			return refuse(notify.Allow(), fmt.Errorf("cost: look up a budget: %w", err))
		case passes:
		case b.Channel != "" && r.Channel == "" && (len(ways) > 1 || !slices.Contains(ways, b.Channel)):
			without = append(without, b.Channel)
		case b.Policy == Defer && g.passesAt(b, r, c.end):
			return refuse(notify.DelayUntil(c.end, ReasonSpent), nil)
		default:
			return refuse(notify.Suppress(ReasonSpent), nil)
		}
	}
	if len(without) > 0 && !slices.ContainsFunc(ways, func(c notify.Channel) bool { return !slices.Contains(without, c) }) {
		return refuse(g.noneLeft(without, r), nil)
	}
	return notify.Without(without...), nil
}

// reachable are the channels of the route that the recipient has an address on, or
// all if there is none.
func reachable(r notify.GuardRequest) []notify.Channel {
	var ways []notify.Channel
	for _, c := range r.Channels {
		if r.Recipient.Addresses[c] != "" {
			ways = append(ways, c)
		}
	}
	if len(ways) == 0 {
		return r.Channels
	}
	return ways
}

// noneLeft decides when the budgets of all the route's channels are spent: one
// that defers has the notification wait.
func (g *guard) noneLeft(without []notify.Channel, r notify.GuardRequest) notify.Decision {
	var until time.Time
	for i := range g.ledger.config.Budgets {
		b := &g.ledger.config.Budgets[i]
		if b.Policy != Defer || !b.covers(r) || !slices.Contains(without, b.Channel) {
			continue
		}
		if _, end := b.period(r.Now, g.ledger.config.Location); g.passesAt(b, r, end) && (until.IsZero() || end.Before(until)) {
			until = end
		}
	}
	if until.IsZero() {
		return notify.Suppress(ReasonSpent)
	}
	return notify.DelayUntil(until, ReasonSpent)
}

// claim is what a notification takes of a budget.
type claim struct {
	accountKey
	id     string
	micros int64
	now    time.Time
	end    time.Time
}

func (g *guard) claim(i int, b *Budget, r notify.GuardRequest) *claim {
	c := &claim{accountKey: accountKey{budget: i}, id: r.NotificationID, micros: g.each(b, r, r.Now), now: r.Now}
	if b.EachTenant || b.Tenant != "" {
		c.tenant = r.Tenant
	}
	c.period, c.end = b.period(r.Now, g.ledger.config.Location)
	return c
}

// passesAt tells whether a notification may be sent when the next period begins:
// it has not expired by then, and the budget has room for it while nothing is
// spent. A host that lets nothing be spent may have changed its mind.
func (g *guard) passesAt(b *Budget, r notify.GuardRequest, at time.Time) bool {
	lives := r.ExpiresAt.IsZero() || at.Before(r.ExpiresAt)
	return lives && (b.Limit.Micros == 0 || g.each(b, r, at) <= b.Limit.Micros)
}

// each is what a notification is taken to cost at a time: by the book, the highest
// price of one segment that it has for the channels.
func (g *guard) each(b *Budget, r notify.GuardRequest, at time.Time) int64 {
	if b.Each != 0 {
		return b.Each
	}
	channels := r.Channels
	switch {
	case b.Channel != "":
		channels = []notify.Channel{b.Channel}
	case r.Channel != "":
		channels = []notify.Channel{r.Channel}
	}
	var most int64
	for _, channel := range channels {
		country := ""
		if channel == notify.SMSChannel {
			country = e164.Country(r.Recipient.Addresses[channel])
		}
		most = max(most, g.ledger.prices.highest(channel, country, b.Limit.Currency, at))
	}
	return most
}

// take takes what a claim needs, if there is room. What the notification holds
// already is not taken again.
func (g *guard) take(ctx context.Context, b *Budget, c *claim) (passes bool, taken *hold, err error) {
	a, err := g.account(ctx, b, c)
	if err != nil {
		return false, nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if a.holds[c.id] != nil {
		return true, nil, nil
	}
	gone := a.spent + a.held // neither has more than half of what overflows
	if gone >= b.Limit.Micros || c.micros > b.Limit.Micros-gone {
		return false, nil, nil
	}
	if c.micros == 0 || g.holding >= g.maxHolds || g.accounts[c.accountKey] != a {
		return true, nil, nil
	}
	h := &hold{account: a, id: c.id, micros: c.micros, until: c.now.Add(g.ledger.config.HoldFor)}
	a.holds[c.id] = h
	a.held += c.micros // below the limit
	g.holds[c.id] = append(g.holds[c.id], h)
	g.holding++
	return true, h, nil
}

// release gives back what was taken for a notification that does not pass.
func (g *guard) release(holds []*hold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range holds {
		if h.account.holds[h.id] == h {
			g.releaseLocked(h)
		}
	}
}

// counted says that a message of the notification is in the store: what is held
// for it is dropped with the next sum, which has it.
func (g *guard) counted(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.holds[id] {
		h.counted = time.Now()
	}
}

func (g *guard) releaseLocked(h *hold) {
	delete(h.account.holds, h.id)
	h.account.held -= h.micros
	left := slices.DeleteFunc(g.holds[h.id], func(one *hold) bool { return one == h })
	if g.holds[h.id] = left; len(left) == 0 {
		delete(g.holds, h.id)
	}
	g.holding--
}
