package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Ledger is what happened, as the parent saw it.
type Ledger struct {
	mu sync.Mutex // guards all of it

	Lives    []*Life
	Sends    map[int]*Sending             // by the spec's number
	Accepted map[string]int               // the spec's number, by ID
	Calls    []*Call                      // in the order of their arrival
	Took     map[string]*Call             // those that had their effect, by service and key
	Events   map[string]Seen              // as it was first seen, by ID
	Order    map[string]*Sight            // by observer
	Final    map[string]*End              // by notification
	Canceled map[string]time.Time         // when Cancel answered canceled
	Reported map[string]map[string]string // the words that Report took: by key, event and how, or what it answered
	Shared   []string                     // IDs of two notifications
	Changed  []string                     // events that came with another content under the same ID
}

// Life is a child's.
type Life struct {
	Number int
	Began  time.Time
	Ready  time.Time // zero: it was still recovering
	Ended  time.Time
	Point  string // where it died; empty: it ended by itself
	Frozen []Span

	ready chan struct{} // closed with Ready
}

// Span is a time that a process was frozen; To is zero while it is.
type Span struct{ From, To time.Time }

// up tells whether the life's process was running at a time.
func (l *Life) up(at time.Time) bool {
	if at.Before(l.Began) || !l.Ended.IsZero() && !at.Before(l.Ended) {
		return false
	}
	return !slices.ContainsFunc(l.Frozen, func(s Span) bool {
		return !at.Before(s.From) && (s.To.IsZero() || at.Before(s.To))
	})
}

// Sending is a notification that the host sends.
type Sending struct {
	Spec     Spec
	IDs      []string // that Send returned; never two different ones
	Answered bool
}

// Call is a call that reached a service.
type Call struct {
	CallArgs
	Leg, Ordinal int
	Fortune      Fortune
	Effect       bool      // the recipient got it by this call
	Unheard      bool      // its caller gave it up
	Began, Ended time.Time // at the service; Ended is zero if its answer was not written
}

// leg names the leg that a call was for.
func (c *Call) leg() string { return c.Notification + " leg " + strconv.Itoa(c.Leg) }

// Sight is what an observer has taken.
type Sight struct {
	Taken map[string]int      // the event's IDs, with how often
	Given map[string]int      // how often it was given each
	Order map[string][]string // the IDs by notification, each at its first time
}

// End is how a notification ended, by its record.
type End struct {
	State  string
	Events []string
}

func newLedger() *Ledger {
	return &Ledger{
		Sends: map[int]*Sending{}, Accepted: map[string]int{}, Took: map[string]*Call{}, Events: map[string]Seen{}, Order: map[string]*Sight{},
		Final: map[string]*End{}, Canceled: map[string]time.Time{}, Reported: map[string]map[string]string{},
	}
}

// life returns a life by its number. mu is held.
func (l *Ledger) life(number int) *Life { return l.Lives[number-1] }

// sight returns what an observer has taken. mu is held.
func (l *Ledger) sight(observer string) *Sight {
	if l.Order[observer] == nil {
		l.Order[observer] = &Sight{Taken: map[string]int{}, Given: map[string]int{}, Order: map[string][]string{}}
	}
	return l.Order[observer]
}

// saw notes that an observer was given an event, and whether it took it.
func (l *Ledger) saw(e Seen, takes bool) {
	first, ok := l.Events[e.Event]
	if !ok {
		l.Events[e.Event] = e
	} else if first.Type != e.Type || first.Notification != e.Notification || first.Digest != e.Digest || !first.Time.Equal(e.Time) {
		l.Changed = append(l.Changed, fmt.Sprintf("%s came with another content to %s", e.Event, e.Observer))
	}
	s := l.sight(e.Observer)
	s.Given[e.Event]++
	if !takes {
		return
	}
	if s.Taken[e.Event]++; s.Taken[e.Event] == 1 {
		s.Order[e.Notification] = append(s.Order[e.Notification], e.Event)
	}
}

// isNews tells whether a followed notification has settled, or has had more
// events, since it was looked at last.
func (l *Ledger) isNews(id string, r Result) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.Final[id]
	return r.State != "" && (last == nil || last.State == "" || len(last.Events) < len(r.Events))
}

// known are the notifications that have to settle: those that were accepted,
// and those that events tell of.
func (l *Ledger) known() []string {
	ids := maps.Clone(l.Accepted)
	for _, e := range l.Events {
		if e.Notification != "" {
			ids[e.Notification] = 0
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// specOf returns what a notification was made of, by its category.
func (l *Ledger) specOf(category string) Spec {
	n, _ := strconv.Atoi(strings.TrimPrefix(category, "n"))
	if s := l.Sends[n]; s != nil {
		return s.Spec
	}
	return Spec{}
}

// serviceKey names an attempt at its service.
func serviceKey(service, key string) string { return service + " " + key }

// legOf reads the leg and the ordinal at the end of an attempt's key. A control
// may have added to it.
func legOf(key string) (leg, ordinal int) {
	key, _, _ = strings.Cut(key, "#")
	parts := strings.Split(key, ".")
	if len(parts) < 3 {
		return 0, 0
	}
	leg, _ = strconv.Atoi(parts[len(parts)-2])
	ordinal, _ = strconv.Atoi(parts[len(parts)-1])
	return leg, ordinal
}

// stableKey is an attempt's key with the spec in place of an ID that chance
// made, so that a seed gives the same fortunes again.
func stableKey(c CallArgs) string {
	leg, ordinal := legOf(c.Key)
	return c.Category + "." + strconv.Itoa(leg) + "." + strconv.Itoa(ordinal)
}
