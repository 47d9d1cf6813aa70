package costtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
)

// TestFaults has ledgers write what events say, which come in any order and
// several times, into a store that fails before and after it has written, while
// one process after the other ends in the middle; and compares with the events
// once, in order. A store opens as for [TestStore]; reopen, unless it is nil, is
// called between two processes, with the store of the one before.
func TestFaults(t *testing.T, open func(t *testing.T) cost.Store, reopen func(t *testing.T, s cost.Store) cost.Store) {
	t.Helper()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			wrong, err := compareFaults(t, seed, open(t), reopen)
			require.NoError(t, err)
			require.Empty(t, wrong)
		})
	}
}

// compareFaults returns how what the store has differs from what it should.
func compareFaults(t *testing.T, seed uint64, s cost.Store, reopen func(t *testing.T, s cost.Store) cost.Store) (string, error) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	history := historyOf(r)
	expected := cost.NewMemory()
	process(t, expected, history, 0)

	for life := range 3 {
		events := slices.Clone(history)
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		stopAfter := 0
		if life < 2 { // it ends before it has seen all, and the next gets all again
			stopAfter = 1 + r.IntN(len(events)/2)
		} else {
			events = append(events, events[:len(events)/3]...)
		}
		process(t, &faulty{Store: s, r: rand.New(rand.NewPCG(seed, uint64(life)))}, events, stopAfter)
		if reopen != nil {
			s = reopen(t, s)
		}
	}
	for _, q := range []cost.Query{
		{AllTenants: true}, {AllTenants: true, By: cost.ByTenant}, {AllTenants: true, By: cost.ByCountry}, {AllTenants: true, By: cost.ByCategory},
	} {
		// What the observer used is real, and not the same.
		q.Event = "notify.sent.v1"
		for _, q.Period = range []string{"2026-03", "2026-04", "2026-03-31"} {
			want, err := expected.Sums(t.Context(), q)
			if err != nil {
				return "", err
			}
			got, err := s.Sums(t.Context(), q)
			if err != nil {
				return "", err
			}
			want.Sums, got.Sums = messagesOf(want.Sums), messagesOf(got.Sums)
			if fmt.Sprint(want) != fmt.Sprint(got) {
				return fmt.Sprintf("%+v: want %+v, got %+v", q, want, got), nil
			}
		}
	}
	return "", nil
}

// messagesOf are the sums of messages.
func messagesOf(sums []cost.Sum) []cost.Sum {
	return slices.DeleteFunc(slices.Clone(sums), func(s cost.Sum) bool { return s.Messages == 0 && s.Invocations > 0 })
}

// occurrence is an event, and what it is about.
type occurrence struct {
	data     any
	envelope notify.Envelope
}

func historyOf(r *rand.Rand) (all []occurrence) {
	at := time.Date(2026, 3, 31, 23, 30, 0, 0, time.UTC) // some are of the next month
	for n := range 40 {
		about := notify.Envelope{
			NotificationID: fmt.Sprint("n-", n), Tenant: fmt.Sprint("t-", n%4), Category: []string{"", "codes"}[n%2],
		}
		add := func(leg, attempt int, kind string, after time.Duration, data any) {
			about.ID = fmt.Sprintf("n-%d/%d.%d/%s", n, leg, attempt, kind)
			about.Time = at.Add(time.Duration(n)*time.Minute + after)
			all = append(all, occurrence{data, about})
		}
		for leg := 1; leg <= 1+n%2; leg++ {
			a := notify.Attempt{Leg: notify.Leg{Leg: leg, Channel: notify.SMSChannel}, Attempt: 1, Provider: []string{"one", "two"}[r.IntN(2)]}
			sent := notify.Sent{Attempt: a, Country: []string{"DE", "AT", ""}[r.IntN(3)], Segments: r.IntN(4)}
			if r.IntN(3) == 0 {
				sent.Cost = notify.Cost{Micros: int64(r.IntN(1000)), Currency: "USD"}
			}
			add(leg, 1, "sent", 0, sent)
			switch r.IntN(4) {
			case 0:
				add(leg, 1, "undelivered", time.Hour, notify.Undelivered{Attempt: a, Cost: notify.Cost{Micros: int64(r.IntN(1000)), Currency: "EUR"}})
				fallthrough
			case 1:
				add(leg, 1, "delivered", time.Minute, notify.Delivered{Attempt: a, Cost: notify.Cost{Micros: int64(r.IntN(1000)), Currency: "EUR"}})
			case 2:
				add(leg, 1, "delivered", time.Minute, notify.Delivered{Attempt: a})
			}
		}
	}
	return all
}

// book has prices that differ by provider, country and segment, and none for
// some messages.
func book() cost.Book {
	return cost.Book{Currency: "EUR", Messages: []cost.MessagePrice{
		{Channel: notify.SMSChannel, Provider: "one", PerSegment: 75_300 * cost.Micro},
		{Channel: notify.SMSChannel, Provider: "one", Country: "AT", PerMessage: 1 * cost.Milli, PerSegment: 69_000 * cost.Micro},
		{Channel: notify.SMSChannel, Country: "DE", Currency: "USD", PerMessage: 10 * cost.Micro},
	}}
}

// process is one life of a program: a Notifier, a ledger, and the events. If stop
// is not zero, it ends when that many messages have been put, and otherwise when
// all have.
func process(t *testing.T, s cost.Store, events []occurrence, stop int) {
	t.Helper()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler), DrainTimeout: 10 * time.Second})
	require.NoError(t, err)
	counted := &counting{Store: s, stop: stop, stopped: make(chan struct{})}
	n.Attach(cost.New(counted, book(), func(c *cost.Config) {
		c.Days, c.Flush = true, time.Millisecond
		c.Retry = notify.Retry{Attempts: -1, Backoff: func(int) time.Duration { return time.Millisecond }}
	}))
	ran := make(chan error, 1)
	go func() { ran <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	for _, one := range events {
		_, err := notify.Emit(t.Context(), n, one.data, func(e *notify.Envelope) {
			e.ID, e.NotificationID, e.Tenant, e.Category, e.Time = one.envelope.ID, one.envelope.NotificationID, one.envelope.Tenant, one.envelope.Category, one.envelope.Time
		})
		require.NoError(t, err)
	}
	if stop > 0 {
		<-counted.stopped
		dead, cancel := context.WithCancel(context.Background())
		cancel()
		_ = n.Close(dead) // it names what was still running, if anything was
	} else {
		require.NoError(t, n.Close(context.Background()))
	}
	<-ran
}

// counting is a store that does nothing more once it has put that many messages.
type counting struct {
	cost.Store
	stopped chan struct{}

	mu   sync.Mutex // guards the following
	puts int
	stop int
}

var errOver = errors.New("the process is over")

func (c *counting) Put(ctx context.Context, entries ...cost.Entry) (int, error) {
	if c.stop > 0 && entries[0].NotificationID != "" {
		c.mu.Lock()
		c.puts++
		if c.puts == c.stop {
			close(c.stopped)
		}
		over := c.puts > c.stop
		c.mu.Unlock()
		if over {
			return 0, errOver
		}
	}
	return c.Store.Put(ctx, entries...)
}

// faulty is a store that fails now and then, and then may have written or not.
type faulty struct {
	cost.Store

	mu sync.Mutex // guards r
	r  *rand.Rand
}

var errFault = errors.New("the store has failed")

func (f *faulty) Put(ctx context.Context, entries ...cost.Entry) (int, error) {
	f.mu.Lock()
	fate := f.r.IntN(4)
	f.mu.Unlock()
	if fate == 0 {
		return 0, errFault
	}
	n, err := f.Store.Put(ctx, entries...)
	if fate == 1 && err == nil {
		err = errFault
	}
	return n, err
}
