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
	holds    map[string][]*hold // by notification
	holding  int
	swept    time.Time // when all were looked through last
}

type accountKey struct {
	budget         int
	tenant, period string
}

// account is what is known of a budget, of a tenant in a period.
type account struct {
	spent int64
	asked time.Time // when that was asked for
	held  int64
	holds map[string]*hold // by notification
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
	return &guard{ledger: l, maxAccounts: maxAccounts, maxHolds: maxHolds, accounts: map[accountKey]*account{}, holds: map[string][]*hold{}}
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
		case b.Policy == Defer && g.fits(b, r, c.end):
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
		if _, end := b.period(r.Now, g.ledger.config.Location); g.fits(b, r, end) && (until.IsZero() || end.Before(until)) {
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

// fits tells whether the budget has room for a notification when nothing of it is
// spent. A host that lets nothing be spent may have changed its mind by then.
func (g *guard) fits(b *Budget, r notify.GuardRequest, at time.Time) bool {
	return b.Limit.Micros == 0 || g.each(b, r, at) <= b.Limit.Micros
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
	g.mu.Lock()
	a := g.accounts[c.accountKey]
	fresh := a != nil && c.now.Sub(a.asked) < g.ledger.config.Refresh && !c.now.Before(a.asked)
	g.mu.Unlock()
	if !fresh {
		spent, err := g.ask(ctx, b, c)
		if err != nil {
			return false, nil, err
		}
		a = g.learn(c, spent)
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

// ask asks the store what is spent.
func (g *guard) ask(ctx context.Context, b *Budget, c *claim) (int64, error) {
	q := b.query(c.tenant, c.period)
	for {
		page, err := g.ledger.store.Sums(ctx, q)
		if err != nil {
			return 0, err
		}
		for _, sum := range page.Sums {
			if sum.Value == "" && sum.Currency == b.Limit.Currency {
				return min(sum.Micros, 1<<62-1), nil
			}
		}
		if page.Next == "" {
			return 0, nil
		}
		q.After = page.Next
	}
}

// learn takes over what was asked for at c.now, and drops what is counted in it,
// or has been held for too long.
func (g *guard) learn(c *claim, spent int64) *account {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sweepLocked(c.now)
	a := g.accounts[c.accountKey]
	if a == nil {
		g.makeRoom()
		a = &account{holds: map[string]*hold{}}
		g.accounts[c.accountKey] = a
	}
	if a.asked.After(c.now) && a.asked.Sub(c.now) < time.Minute {
		return a // somebody else has asked since
	}
	a.spent, a.asked = spent, c.now
	for _, h := range a.holds {
		if !h.counted.IsZero() && h.counted.Before(c.now) || h.until.Before(c.now) {
			g.releaseLocked(h)
		}
	}
	return a
}

// sweepLocked forgets, now and then, what nobody asks about any more: accounts of
// a period that is over, and what is held of them.
func (g *guard) sweepLocked(now time.Time) {
	if now.Sub(g.swept) < g.ledger.config.HoldFor {
		return
	}
	g.swept = now
	for key, a := range g.accounts {
		for _, h := range a.holds {
			if h.until.Before(now) {
				g.releaseLocked(h)
			}
		}
		if len(a.holds) == 0 && now.Sub(a.asked) > g.ledger.config.HoldFor {
			delete(g.accounts, key)
		}
	}
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

// makeRoom forgets some account of which nothing is held, or if there is none
// among a few, one of which something is.
func (g *guard) makeRoom() {
	if len(g.accounts) < g.maxAccounts {
		return
	}
	tries := 0
	for key, a := range g.accounts {
		if tries++; len(a.holds) > 0 && tries < 100 {
			continue
		}
		for _, h := range a.holds {
			g.releaseLocked(h)
		}
		delete(g.accounts, key)
		return
	}
}
