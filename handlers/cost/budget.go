package cost

import (
	"slices"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Budget is how much may be spent in a period on what it is about: messages of
// the Tenant, Channel and Category, as far as they are set. Without any of the
// three, and without EachTenant, it is about everything, and observers' costs
// count too.
//
// The guard compares the Limit with two amounts: what the [Store] says is spent in
// its currency, which is read again after [Config.Refresh], and what this process
// has let pass since. A notification that it let pass is held at Each until its
// first message is counted, for [Config.HoldFor] at most; if another process
// counts it, or it ends without a message, it is held until HoldFor is over. So a
// budget can be overspent only by what other processes have let pass and not sent
// yet, by what takes longer than HoldFor, and by what costs more than Each. A
// notification that the guard is asked about again counts once. A guard remembers
// 100,000 sums, beyond which one is forgotten with what is held of it, and holds
// up to 1,000,000 notifications.
type Budget struct {
	// Tenant is whose it is; empty is all tenants together. With EachTenant every
	// tenant has one of its own, the one without a name too, and Tenant is empty.
	Tenant     string
	EachTenant bool
	// Channel and Category are what it is about; empty is any. When the budget of a
	// channel is spent, the channel is left out of the plan, if the route has
	// another one that the recipient has an address for.
	Channel  notify.Channel
	Category string
	// Limit is what may be spent in a month, or with Daily in a day. A Limit of
	// zero Micros lets nothing pass.
	Limit notify.Cost
	Daily bool
	// Each is what a notification is assumed to cost, in millionths of the Limit's
	// currency, until its cost is known; zero is the highest price of one segment
	// that the book has, in that currency, for the route's channels in the
	// recipient's country. If it has none, a notification counts only once it is
	// sent.
	Each int64
	// Policy says what happens to a notification when the budget is spent.
	Policy Policy
}

// Policy is what a spent [Budget] does.
type Policy int

const (
	// Drop ends the notification, or the leg, as [notify.Suppressed], for the
	// reason [ReasonSpent].
	Drop Policy = iota
	// Defer holds it until the next period begins, as [notify.Delayed], for the
	// reason ReasonSpent. What cannot be sent then either ends as with Drop: one that
	// expires before, which is after 24 hours unless [notify.Notification.ExpiresAt] or
	// [notify.Budgets.Message] says otherwise, and what the [Book] has a price for
	// that is more than the whole Limit. If the Limit has no Micros, it is held
	// again and again.
	Defer
)

// ReasonSpent is the guard's reason in [notify.Suppressed] and [notify.Delayed].
const ReasonSpent = "budget_spent"

func (b *Budget) check(found *problems, field string) {
	found.when(b.EachTenant && b.Tenant != "", field+".EachTenant", "must not be set with a Tenant")
	found.when(b.Channel != "" && !validName(string(b.Channel), 32, isChannelByte), field+".Channel", "must be 1 to 32 characters of a-z, 0-9, '-' and '_'")
	found.when(!validCurrency(b.Limit.Currency), field+".Limit.Currency", notACurrency)
	found.when(b.Limit.Micros < 0 || b.Limit.Micros >= 1<<62, field+".Limit.Micros", "must be from 0 to 4611686018427387903")
	found.when(b.Each < 0 || b.Each > maxMicros, field+".Each", "must be from 0 to a billion units")
	found.when(b.Limit.Micros > 0 && b.Each > b.Limit.Micros, field+".Each", "is more than the Limit, so that nothing would ever pass")
	found.when(b.Policy != Drop && b.Policy != Defer, field+".Policy", "must be Drop or Defer")
}

// covers tells whether the budget is about what is asked for.
func (b *Budget) covers(r notify.GuardRequest) bool {
	return (b.EachTenant || b.Tenant == "" || b.Tenant == r.Tenant) && (b.Category == "" || b.Category == r.Category) &&
		(b.Channel == "" || b.Channel == r.Channel || r.Channel == "" && slices.Contains(r.Channels, b.Channel))
}

// query asks for what is spent of it.
func (b *Budget) query(tenant, period string) Query {
	q := Query{Period: period, Tenant: tenant, Channel: b.Channel, Category: b.Category, Limit: maxLimit}
	if !b.EachTenant && b.Tenant == "" {
		q.AllTenants, q.Tenant = true, ""
	} else {
		q.By = ByObserver // what they cost is the empty tenant's too; of messages the value is empty
	}
	return q
}

// period returns the budget's period at a time, and its end.
func (b *Budget) period(at time.Time, in *time.Location) (name string, end time.Time) {
	layout := monthLayout
	if b.Daily {
		layout = dayLayout
	}
	return at.In(in).Format(layout), periodEnd(at, in, b.Daily)
}
