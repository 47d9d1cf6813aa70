package cost

import (
	"context"
	"time"
)

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

// question is one that the store is asked now.
type question struct {
	answered chan struct{} // closed when the following are known
	account  *account
	err      error
	givenUp  bool // by who asked
}

// account returns what is known of a budget, if it is recent enough, or else asks.
// Others who need to know wait for the answer.
func (g *guard) account(ctx context.Context, b *Budget, c *claim) (*account, error) {
	for {
		g.mu.Lock()
		if a := g.accounts[c.accountKey]; a != nil {
			if age := c.now.Sub(a.asked); age < g.ledger.config.Refresh && age > -time.Minute {
				g.mu.Unlock()
				return a, nil
			}
		}
		asked := g.asking[c.accountKey]
		if asked == nil {
			own := &question{answered: make(chan struct{})}
			g.asking[c.accountKey] = own
			g.mu.Unlock()
			g.answer(ctx, b, c, own)
			return own.account, own.err
		}
		g.mu.Unlock()
		select {
		case <-asked.answered:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !asked.givenUp {
			return asked.account, asked.err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

func (g *guard) answer(ctx context.Context, b *Budget, c *claim, q *question) {
	defer func() { // also if the store panics
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.asking, c.accountKey)
		close(q.answered)
	}()
	q.givenUp = true
	spent, err := g.ask(ctx, b, c)
	if q.err = err; err == nil {
		q.account = g.learn(c, spent)
	}
	q.givenUp = err != nil && ctx.Err() != nil
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
