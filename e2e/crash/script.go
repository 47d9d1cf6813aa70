package main

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
)

// script decides everything that a run leaves to chance, but for the moments at
// which things happen, from its seed.
type script struct{ seed uint64 }

// roll is a number from 0 to n-1 that follows from the seed and the words.
func (s script) roll(n int, words ...any) int {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, s.seed)
	fmt.Fprint(h, words...)
	sum := h.Sum64()
	sum ^= sum >> 31 // the low bits of FNV are its weakest
	return int(sum % uint64(n))
}

// Spec is a notification to be sent.
type Spec struct {
	N         int
	Key       string // an idempotency key, or none
	Route     string // services joined by '>' (First) or '+' (All)
	NotBefore time.Time
	Urgent    bool
	Cancel    bool // the host cancels it
}

var routes = []string{"mail", "text", "room", "push", "mail>text", "push>text", "text>mail", "mail+text", "room+push"}

// spec is the nth notification.
func (s script) spec(n int) Spec {
	spec := Spec{N: n, Route: routes[s.roll(len(routes), "route", n)], Urgent: s.roll(4, "urgent", n) == 0}
	if s.roll(2, "key", n) == 0 {
		spec.Key = fmt.Sprintf("order-%d", n)
	}
	if s.roll(8, "later", n) == 0 {
		spec.NotBefore = time.Now().Add(200 * time.Millisecond)
	}
	spec.Cancel = s.roll(5, "cancel", n) == 0
	return spec
}

// category names a spec in all that comes of it.
func (s Spec) category() string { return fmt.Sprintf("n%d", s.N) }

// inOrder tells whether its legs come one after the other.
func (s Spec) inOrder() bool { return strings.Contains(s.Route, ">") }

// Service is what a provider stands for.
type Service struct {
	Name     string
	Channel  notify.Channel
	Keyed    bool // it honours keys
	Receipts bool // it reports later
	Asked    bool // it can be asked
}

var services = []Service{
	{Name: "mail", Channel: notify.EmailChannel, Keyed: true},
	{Name: "text", Channel: notify.SMSChannel},
	{Name: "push", Channel: notify.PushChannel, Keyed: true, Receipts: true},
	{Name: "room", Channel: notify.ChatChannel, Receipts: true, Asked: true},
}

func serviceNamed(name string) Service {
	for _, s := range services {
		if s.Name == name {
			return s
		}
	}
	panic("no service is named " + name)
}

// Fortune is what a service does with a call.
type Fortune struct {
	Effect  bool // the recipient gets it, unless its key is known
	Verdict string
	Pause   time.Duration // before it answers
}

// definite tells whether the answer says that there was no effect.
func (f Fortune) definite() bool {
	return f.Verdict == string(notify.VerdictTemporary) || f.Verdict == string(notify.VerdictPermanent)
}

// callTimeout is how long a provider's call may take.
const callTimeout = time.Second

// leaseTime is how long a call's execution holds its attempt.
const leaseTime = callTimeout + 10*time.Second

// fortune is that of a call.
func (s script) fortune(key string, number int) Fortune {
	switch n := s.roll(100, "call", key, number); {
	case n < 60:
		return Fortune{Effect: true}
	case n < 76:
		return Fortune{Effect: true, Pause: 30 * time.Millisecond}
	case n < 84:
		return Fortune{Verdict: string(notify.VerdictTemporary)}
	case n < 88:
		return Fortune{Verdict: string(notify.VerdictPermanent)}
	case n < 94:
		return Fortune{Effect: true, Verdict: string(notify.VerdictUncertain)} // the answer is lost
	case n < 98:
		return Fortune{Verdict: string(notify.VerdictUncertain)} // the call is lost
	default:
		return Fortune{Effect: true, Pause: callTimeout + callTimeout/2} // it answers too late
	}
}

// words are what a service reports once a message had its effect: nothing, that
// it was delivered, that it bounced; and that it was opened.
func (s script) words(service Service, key string) (events []string) {
	if !service.Receipts {
		return nil
	}
	switch s.roll(8, "report", key) {
	case 0:
	case 1, 2:
		events = append(events, "bounced")
	default:
		events = append(events, "delivered")
	}
	if s.roll(3, "open", key) == 0 {
		events = append(events, "opened")
	}
	return events
}

// byKey tells whether a report names its message by the attempt's key.
func (s script) byKey(service Service, key string) bool {
	return !service.Keyed || s.roll(2, "by key", key) == 0
}

// reaction is what an observer does with an event that it has not seen before.
func (s script) reaction(observer, event string) Reaction {
	switch {
	case observer == shaky && s.roll(8, "shaky", event) == 0:
		return Fails
	case observer == picky && s.roll(8, "picky", event) == 0:
		return Refuses
	default:
		return Takes
	}
}

// route is the spec's route.
func (s Spec) route() notify.Route {
	join, by := notify.First, ">"
	if strings.Contains(s.Route, "+") {
		join, by = notify.All, "+"
	}
	var steps []notify.Step
	for name := range strings.SplitSeq(s.Route, by) {
		steps = append(steps, serviceNamed(name).Channel)
	}
	return join(steps...)
}
