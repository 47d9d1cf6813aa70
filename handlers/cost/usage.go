package cost

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify"
)

// usage is what observers have used in this process, by the Notifier's
// statistics. It belongs to the Work that goes on.
type usage struct {
	instance   string // names the process in entries
	month, day string // that it counts in
	end        time.Time
	version    int64
	priced     time.Time // the last time
	tallies    map[used]*tally
	number     int       // of the latest entry
	left       []pending // of periods that are over, and not written yet
}

// used is an observer, by its name and when its counts began, and a type of event.
// There are as many as the Notifier remembers, and those of which not all is written.
type used struct {
	observer, event string
	since           int64
}

// tally is what was used of one observer for events of one type.
type tally struct {
	seen           notify.EventStats // the statistics, the last time
	version        int64             // and the flush of then
	total, written Count             // in the entry
	number         int               // of the entry, which no other of the process has
	changed        time.Time         // when that was, the last time
	unsure         bool              // whether that is written
}

// idle is how long an entry may stay as it is and still be added to: the store may
// forget it, and would take it for another one then.
const idle = 10 * time.Minute

// see adds what was used since the last time.
func (t *tally) see(s notify.EventStats) {
	t.total.add(Count{Invocations: s.Invocations - t.seen.Invocations, Time: max(s.Total-t.seen.Total, 0)})
	t.seen = s
}

// pending is an entry to be written. Of a period that is over it has no tally any
// more.
type pending struct {
	Entry
	tally *tally
}

// Work implements [notify.Worker]: it writes what observers use, every
// [Config.Flush], at the end of each period, and once more when it has to stop. While
// it does, another call returns at once.
func (l *Ledger) Work(ctx context.Context, stopping <-chan struct{}) error {
	if !l.works.CompareAndSwap(false, true) {
		return nil
	}
	defer l.works.Store(false)
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
	u.look(l.notifier.Load())
	all := u.entries(l, now)
	if !now.Before(u.end) {
		for _, p := range all {
			u.left = append(u.left, pending{Entry: p.Entry})
		}
		all = nil
		u.begin(l, now)
	}
	left, err := l.write(ctx, u.left)
	u.left = left
	if err == nil || isRefused(err) {
		_, more := l.write(ctx, all)
		err = errors.Join(err, more)
	}
	for key, t := range u.tallies {
		if t.version < u.version && (t.total == t.written || t.total.Invocations == 0) {
			delete(u.tallies, key) // it is forgotten
		}
	}
	return err
}

// look looks what has been used since the last time.
func (u *usage) look(n *notify.Notifier) {
	withoutLag, done := context.WithCancel(context.Background())
	done() // the backend need not be asked
	u.version++
	stats := n.Stats(withoutLag)
	for _, o := range append(stats.Observers, stats.Detached...) {
		for _, e := range o.Events {
			key := used{o.Name, e.Type, o.Since.UnixNano()}
			t := u.tallies[key]
			if t == nil {
				t = &tally{number: u.next()}
				u.tallies[key] = t
			}
			t.version = u.version
			t.see(e)
		}
	}
}

func (u *usage) next() int {
	u.number++
	return u.number
}

// most is how many entries go into a transaction, so that no store has a large one.
const most = 100

// write writes entries, and returns those that may be written later. What is
// refused keeps none of the others from being written.
func (l *Ledger) write(ctx context.Context, all []pending) (later []pending, err error) {
	var refused error
	for size := most; len(all) > 0; {
		part := all[:min(len(all), size)]
		entries := make([]Entry, len(part))
		for i, p := range part {
			entries[i] = p.Entry
		}
		switch err := l.put(ctx, entries...); {
		case err != nil && !isRefused(err):
			return append(later, all...), errors.Join(refused, err)
		case err != nil && len(part) > 1:
			size = 1 // to find out which
			continue
		case err != nil:
			refused = err
			if !isFinal(err) {
				later = append(later, part...)
			}
		default:
			for _, p := range part {
				if p.tally != nil {
					p.tally.written, p.tally.unsure = p.Count, false
				}
			}
		}
		all = all[len(part):]
	}
	return later, refused
}

// isRefused tells whether a store said that an entry cannot be written, rather than
// that nothing can.
func isRefused(err error) bool { return isFinal(err) || errors.Is(err, notify.ErrOverloaded) }

// begin begins a period.
func (u *usage) begin(l *Ledger, now time.Time) {
	u.month, u.day = l.periods(now)
	u.end = periodEnd(now, l.config.Location, l.config.Days)
	for _, t := range u.tallies {
		t.total, t.written, t.unsure = Count{}, Count{}, false
	}
}

// entries are the totals of the period that have changed since they were written.
func (u *usage) entries(l *Ledger, now time.Time) []pending {
	// What comes later is priced later, also when the clock goes back.
	if u.priced = u.priced.Add(time.Microsecond); u.priced.Before(moments(now)) {
		u.priced = moments(now)
	}
	var all []pending
	for key, t := range u.tallies {
		// The time of an invocation may be seen before the invocation.
		if t.total == t.written || t.total.Invocations == 0 {
			continue
		}
		if t.written != (Count{}) && !t.unsure && now.Sub(t.changed) > idle {
			t.total.add(t.written.times(-1))
			t.written, t.number = Count{}, u.next()
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
		all = append(all, pending{e, t})
	}
	return all
}

// periodBegin is when the month, or the day, of a time begins.
func periodBegin(at time.Time, in *time.Location, daily bool) time.Time {
	at = at.In(in)
	if daily {
		return begin(at.Year(), at.Month(), at.Day(), in)
	}
	return begin(at.Year(), at.Month(), 1, in)
}

// periodEnd is when the month, or the day, of a time is over.
func periodEnd(at time.Time, in *time.Location, daily bool) time.Time {
	at = at.In(in)
	if daily {
		return begin(at.Year(), at.Month(), at.Day()+1, in)
	}
	return begin(at.Year(), at.Month()+1, 1, in)
}

// begin is when a day begins. Where the clocks skip midnight, [time.Date] may say
// a time of the day before.
func begin(year int, month time.Month, day int, in *time.Location) time.Time {
	at := time.Date(year, month, day, 0, 0, 0, 0, in)
	if at.Day() != time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Day() {
		_, at = at.ZoneBounds()
	}
	return at
}
