package cost

import (
	"context"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify"
)

// usage is what observers have used in this process, by the Notifier's
// statistics. It belongs to the goroutine of Work.
type usage struct {
	instance   string // names the process in entries
	month, day string // that it counts in
	end        time.Time
	version    int64
	priced     time.Time // the last time
	tallies    map[used]*tally
	left       []Entry // of periods that are over, and not written yet
}

// tally is what was used of one observer for events of one type.
type tally struct {
	seen           notify.EventStats // the statistics, the last time
	total, written Count             // in the entry
	number         int               // of the entry, in the period
	changed        time.Time         // when that was, the last time
	unsure         bool              // whether that is written
}

// idle is how long an entry may stay as it is and still be added to: the store may
// forget it, and would take it for another one then.
const idle = 10 * time.Minute

// see adds what was used since the last time. An observer that was detached and
// registered again begins anew.
func (t *tally) see(s notify.EventStats) {
	since := t.seen
	if s.Invocations < since.Invocations {
		since = notify.EventStats{}
	}
	t.total.add(Count{Invocations: s.Invocations - since.Invocations, Time: max(s.Total-since.Total, 0)})
	t.seen = s
}

// used is an observer, and a type of event. There are as many as the program has.
type used struct{ observer, event string }

// statsTimeout bounds how long it is waited for the statistics: they ask a broker
// for lags, which nobody needs here.
const statsTimeout = 5 * time.Second

// Work implements [notify.Worker]: it writes what observers use, every
// [Config.Flush], at the end of each period, and once more when it has to stop.
func (l *Ledger) Work(ctx context.Context, stopping <-chan struct{}) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-stopping:
			return l.flush(ctx)
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := l.flush(ctx); err != nil {
			return err
		}
		timer.Reset(min(l.config.Flush, max(time.Until(l.usage.end), time.Millisecond)))
	}
}

// flush writes what has been used in the period that began with an earlier flush,
// and begins the next if it is over.
func (l *Ledger) flush(ctx context.Context) error {
	u := &l.usage
	now := time.Now()
	if u.month == "" {
		u.tallies = map[used]*tally{}
		u.begin(l, now)
	}
	bound, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	for _, o := range l.notifier.Load().Stats(bound).Observers {
		for _, e := range o.Events {
			t := u.tallies[used{o.Name, e.Type}]
			if t == nil {
				t = &tally{}
				u.tallies[used{o.Name, e.Type}] = t
			}
			t.see(e)
		}
	}
	entries := u.entries(l, now)
	if !now.Before(u.end) {
		u.left = append(u.left, entries...)
		entries = nil
		u.begin(l, now)
	}
	for len(u.left) > 0 {
		part := u.left[:min(len(u.left), most)]
		if err := l.put(ctx, part...); err != nil {
			return err
		}
		u.left = u.left[len(part):]
	}
	for len(entries) > 0 {
		part := entries[:min(len(entries), most)]
		if err := l.put(ctx, part...); err != nil {
			return err
		}
		for _, e := range part {
			t := u.tallies[used{e.Observer, e.Event}]
			t.written, t.unsure = e.Count, false
		}
		entries = entries[len(part):]
	}
	return nil
}

// most is how many entries go into a transaction, so that no store has a large one.
const most = 100

// begin begins a period.
func (u *usage) begin(l *Ledger, now time.Time) {
	u.month, u.day = l.periods(now)
	u.end = periodEnd(now, l.config.Location, l.config.Days)
	for _, t := range u.tallies {
		t.total, t.written, t.number, t.unsure = Count{}, Count{}, 0, false
	}
}

// entries are the totals of the period that have changed since they were written.
func (u *usage) entries(l *Ledger, now time.Time) []Entry {
	u.version++
	// What comes later is priced later, also when the clock goes back.
	if u.priced = u.priced.Add(time.Microsecond); u.priced.Before(moments(now)) {
		u.priced = moments(now)
	}
	var all []Entry
	for key, t := range u.tallies {
		// The time of an invocation may be seen before the invocation.
		if t.total == t.written || t.total.Invocations == 0 {
			continue
		}
		if t.written != (Count{}) && !t.unsure && now.Sub(t.changed) > idle {
			t.total.add(t.written.times(-1))
			t.written, t.number = Count{}, t.number+1
			if t.total.Invocations == 0 {
				continue
			}
		}
		t.changed, t.unsure = now, true
		period := u.month
		if u.day != "" {
			period = u.day
		}
		id := "observer/" + u.instance + "/" + period + "/" + strconv.Itoa(t.number) + "/" + key.observer + "/" + key.event
		e := Entry{
			ID: id, Group: Group{Observer: key.observer, Event: key.event}, Month: u.month, Day: u.day, At: u.priced,
			Count: t.total, Facts: u.version, By: id, PricedAt: u.priced, PricedBy: id,
		}
		if cost, ok := l.prices.observer(key.observer, t.total.Invocations, t.total.Time); ok {
			e.Cost, e.Source = cost, ByBook
		}
		all = append(all, e)
	}
	return all
}

// periodBegin is when the month, or the day, of a time begins.
func periodBegin(at time.Time, in *time.Location, daily bool) time.Time {
	at = at.In(in)
	if daily {
		return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, in)
	}
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, in)
}

// periodEnd is when the month, or the day, of a time is over.
func periodEnd(at time.Time, in *time.Location, daily bool) time.Time {
	at = at.In(in)
	if daily {
		return time.Date(at.Year(), at.Month(), at.Day()+1, 0, 0, 0, 0, in)
	}
	return time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, in)
}
