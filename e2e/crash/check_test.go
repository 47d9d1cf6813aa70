package main

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

// book is a ledger of one notification, n, that was sent by a first child and
// settled with a second.
type book struct {
	*Ledger
	began time.Time
}

func newBook(route string) *book {
	began := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := newLedger()
	l.Lives = []*Life{
		{Number: 1, Began: began, Ended: began.Add(10 * time.Second), Point: "call"},
		{Number: 2, Began: began.Add(11 * time.Second)},
	}
	l.Sends[1] = &Sending{Spec: Spec{N: 1, Route: route}, IDs: []string{"n"}, Answered: true}
	l.Accepted["n"] = 1
	return &book{Ledger: l, began: began}
}

// call notes a call, by the seconds at which it began and ended; 0 is never.
func (b *book) call(service, key string, life int, f Fortune, from, to int) *book {
	c := &Call{
		CallArgs: CallArgs{
			Life: life, Service: service, Key: key, Notification: "n", Category: "n1",
			Until: b.at(from).Add(callTimeout).UnixNano(),
		},
		Fortune: f, Effect: f.Effect, Began: b.at(from),
	}
	c.Leg, c.Ordinal = legOf(key)
	if to > 0 {
		c.Ended = b.at(to)
	}
	if f.Effect {
		b.Took[serviceKey(service, key)] = c
	}
	b.Calls = append(b.Calls, c)
	return b
}

func (b *book) at(second int) time.Time { return b.began.Add(time.Duration(second) * time.Second) }

// see has every observer take an event at a time, but for some.
func (b *book) see(id, kind string, second int, but ...string) *book {
	e := Seen{Event: id, Type: kind, Notification: "n", Category: "n1", Leg: 1, Attempt: 1, Time: b.at(second)}
	for _, observer := range observers {
		e.Observer = observer
		takes := true
		for _, other := range but {
			takes = takes && other != observer
		}
		b.saw(e, takes)
	}
	return b
}

// end has the record know of these events or, by default, of all that were seen.
func (b *book) end(state notify.State, events ...string) *book {
	if len(events) == 0 {
		events = slices.SortedFunc(maps.Keys(b.Events), func(x, y string) int { return b.Events[x].Time.Compare(b.Events[y].Time) })
	}
	b.Final["n"] = &End{State: string(state), Events: events}
	return b
}

var (
	ok   = Fortune{Effect: true}
	busy = Fortune{Verdict: string(notify.VerdictTemporary)}
	lost = Fortune{Effect: true, Verdict: string(notify.VerdictUncertain)}
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		book *book
		want func(*Verdict) []string // what must be found; nil: nothing
	}{
		"sent": {book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 2).end(notify.StateSent)},
		"sent, told twice under one key": {
			book: newBook("mail").call("mail", "n.1.1", 1, lost, 1, 2).call("mail", "n.1.1", 2, Fortune{}, 12, 13).end(notify.StateSent),
		},
		"tried again after a no": {
			book: newBook("text").call("text", "n.1.1", 1, busy, 1, 2).call("text", "n.1.2", 1, ok, 3, 4).end(notify.StateSent),
		},
		"tried again after a lost answer": {
			book: newBook("text").call("text", "n.1.1", 1, lost, 1, 2).call("text", "n.1.2", 1, ok, 3, 4).end(notify.StateSent),
			want: func(v *Verdict) []string { return v.Doubled },
		},
		"tried again under another key": {
			book: newBook("mail").call("mail", "n.1.1", 1, lost, 1, 2).call("mail", "n.1.2", 2, ok, 12, 13).end(notify.StateSent),
			want: func(v *Verdict) []string { return v.Doubled },
		},
		"the same call twice at once": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 3).call("mail", "n.1.1", 1, Fortune{}, 1, 3).end(notify.StateSent),
			want: func(v *Verdict) []string { return v.Doubled },
		},
		"the same call once its caller has given it up": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 4).call("mail", "n.1.1", 1, Fortune{}, 2, 3).end(notify.StateSent),
		},
		"the same call while its process is dead": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 9, 0).call("mail", "n.1.1", 2, Fortune{}, 12, 13).end(notify.StateSent),
		},
		"the next leg after one that arrived": {
			book: newBook("mail>text").call("mail", "n.1.1", 1, ok, 1, 2).call("text", "n.2.1", 1, ok, 3, 4).end(notify.StateSent),
			want: func(v *Verdict) []string { return v.Doubled },
		},
		"both legs of All": {
			book: newBook("mail+text").call("mail", "n.1.1", 1, ok, 1, 2).call("text", "n.2.1", 1, ok, 1, 2).end(notify.StateSent),
		},
		"the next leg after one that came back": {
			book: newBook("push>text").call("push", "n.1.1", 1, ok, 1, 2).bounced("n.1.1").
				call("text", "n.2.1", 1, ok, 3, 4).end(notify.StateSent),
		},
		"the next leg after one that may have arrived": {
			book: newBook("mail>text").call("mail", "n.1.1", 1, Fortune{Verdict: string(notify.VerdictUncertain)}, 1, 2).
				call("text", "n.2.1", 1, ok, 3, 4).end(notify.StateSent),
			want: func(v *Verdict) []string { return v.Doubled },
		},
		"another message under one key": {
			book: newBook("mail").call("mail", "n.1.1", 1, lost, 1, 2).call("mail", "n.1.1", 2, Fortune{}, 12, 13).other().end(notify.StateSent),
			want: func(v *Verdict) []string { return v.Changed },
		},
		"an event with another content": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 2).see("n/sent", "notify.sent.v1", 2).see("n/sent", "notify.sent.v1", 3, shaky, picky, settling).
				end(notify.StateSent, "n/sent"),
			want: func(v *Verdict) []string { return v.Changed },
		},
		"a report that nobody was told of": {
			book: newBook("push").call("push", "n.1.1", 1, ok, 1, 2).end(notify.StateBounced).bounced("n.1.1").deaf(),
			want: func(v *Verdict) []string { return v.Unheard },
		},
		"an event that no record knows": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 2).see("n/sent", "notify.sent.v1", 2).see("n/failed", "notify.failed.v1", 3).
				end(notify.StateSent, "n/sent"),
			want: func(v *Verdict) []string { return v.Ghosts },
		},
		"two notifications, one ID": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 2).end(notify.StateSent).shared(),
			want: func(v *Verdict) []string { return v.Unrelated },
		},
		"nothing was accepted": {
			book: &book{Ledger: newLedger()},
			want: func(v *Verdict) []string { return v.Empty },
		},
		"not settled": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 2).end(""),
			want: func(v *Verdict) []string { return v.Lost },
		},
		"says sent, and nobody got it": {
			book: newBook("mail").call("mail", "n.1.1", 1, busy, 1, 2).end(notify.StateSent),
			want: func(v *Verdict) []string { return v.Lost },
		},
		"says failed, and was sent": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 2).end(notify.StateFailed),
			want: func(v *Verdict) []string { return v.Lost },
		},
		"sent after it was canceled": {
			book: newBook("mail").canceled(1).call("mail", "n.1.1", 1, ok, 2, 3).end(notify.StateSent),
			want: func(v *Verdict) []string { return v.Canceled },
		},
		"canceled after it was sent": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 2, 3).canceled(4).end(notify.StateSent),
		},
		"an event that one observer did not see": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 2).see("n/sent", "notify.sent.v1", 2, shaky).end(notify.StateSent, "n/sent"),
			want: func(v *Verdict) []string { return v.Missed },
		},
		"an event that nobody saw": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 2).end(notify.StateSent, "n/sent"),
			want: func(v *Verdict) []string { return v.Missed },
		},
		"events out of order": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 2).
				see("n/sent", "notify.sent.v1", 2).see("n/sending", typeSending, 1).end(notify.StateSent, "n/sending", "n/sent"),
			want: func(v *Verdict) []string { return v.Disorder },
		},
		"events in order": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 2).see("n/sending", typeSending, 1).see("n/sent", "notify.sent.v1", 2).
				see("n/sending", typeSending, 1).end(notify.StateSent, "n/sending", "n/sent"),
		},
		"unknown, since the answer was lost": {
			book: newBook("text").see("n/sending", typeSending, 1).call("text", "n.1.1", 1, lost, 1, 2).
				see("n/unknown", typeUnknown, 2).end(notify.StateUnknown),
		},
		"unknown, since its process died": {
			book: newBook("text").see("n/sending", typeSending, 9).call("text", "n.1.1", 1, ok, 9, 9).
				see("n/unknown", typeUnknown, 20).end(notify.StateUnknown),
		},
		"unknown, since it was not called": {
			book: newBook("mail").see("n/sending", typeSending, 9).see("n/sending2", typeSending, 20).call("mail", "n.1.1", 2, busy, 20, 20).
				see("n/unknown", typeUnknown, 21).end(notify.StateUnknown),
		},
		"unknown, while the call is under way": {
			book: newBook("text").see("n/sending", typeSending, 1).call("text", "n.1.1", 1, ok, 1, 1).
				see("n/unknown", typeUnknown, 2).end(notify.StateUnknown),
			want: func(v *Verdict) []string { return v.Baseless },
		},
		"one key, two IDs": {
			book: newBook("mail").call("mail", "n.1.1", 1, ok, 1, 2).end(notify.StateSent).sentAgain("m"),
			want: func(v *Verdict) []string { return v.Unrelated },
		},
	} {
		v := c.book.check()
		if c.want == nil {
			require.Empty(t, v.violations(), name)
			continue
		}
		require.NotEmpty(t, c.want(v), "%s: it found %v", name, v.violations())
		require.Equal(t, len(c.want(v)), len(v.violations()), "%s: it found %v", name, v.violations())
	}
}

// bounced has a call's message come back, and everybody told so.
func (b *book) bounced(key string) *book {
	b.Reported[key] = map[string]string{"bounced": "by key"}
	return b.see(key+"/bounced", "notify.bounced.v1", 2)
}

// deaf has nobody told of anything.
func (b *book) deaf() *book {
	b.Events, b.Order = map[string]Seen{}, map[string]*Sight{}
	return b
}

// other has the last call be of another message.
func (b *book) other() *book {
	b.Calls[len(b.Calls)-1].Digest = "other"
	return b
}

func (b *book) shared() *book {
	b.Ledger.Shared = []string{"n"}
	return b
}

func (b *book) canceled(second int) *book {
	b.Ledger.Canceled["n"] = b.at(second)
	return b
}

func (b *book) sentAgain(id string) *book {
	b.Sends[1].IDs = append(b.Sends[1].IDs, id)
	return b
}

func TestARunGoesOnUntilAChildWasKilledAtEachPoint(t *testing.T) {
	t.Parallel()
	r := &run{Settings: Settings{Kills: 2, Points: []string{"before call"}}, kills: map[string]int{}}
	for range 2 {
		require.True(t, r.more())
		r.count(atRandom)
	}
	require.True(t, r.more())
	r.count("before call")
	require.False(t, r.more())
	delete(r.kills, "before call")
	for r.total < 6 {
		require.True(t, r.more())
		r.count(atRandom)
	}
	require.False(t, r.more(), "three times as many are enough")
}

func TestScriptFollowsFromItsSeed(t *testing.T) {
	t.Parallel()
	first, again, other := script{1}, script{1}, script{2}
	same := true
	for n := range 100 {
		require.Equal(t, first.spec(n).Route, again.spec(n).Route)
		require.Equal(t, first.fortune("key", n), again.fortune("key", n))
		same = same && first.spec(n).Route == other.spec(n).Route
	}
	require.False(t, same)
}
