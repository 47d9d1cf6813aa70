// Package topology describes what a program's Notifier is made of: its events,
// who raises and who handles each, the observers with their functions, the
// channels with their providers, the topics and their groups. It is what
// [Notifier.Topology] returns, as data to look through, as JSON, as diagrams in
// Mermaid, and as pages of Markdown.
//
//	g := n.Topology()
//	fmt.Println(g.Mermaid())               // the whole
//	fmt.Println(g.EventMermaid("notify.bounced.v1")) // who raises and handles one event
//	fmt.Println(g.Unhandled())             // the events that nobody handles
//
// A program's pages can be committed, and a test keeps them up to date: see
// [notifytest.RequireDocs].
//
// [Notifier.Topology]: https://pkg.go.dev/github.com/seed-6c01d079/notify#Notifier.Topology
// [notifytest.RequireDocs]: https://pkg.go.dev/github.com/seed-6c01d079/notify/notifytest#RequireDocs
package topology

import (
	"slices"
	"time"
)

// Graph is what a Notifier is made of. Lists are sorted by name, but Observers,
// their Handlers, the Providers of a Channel and the Groups of a Topic are in the
// order of their registration, and Guards in that in which they are asked. It
// encodes as JSON.
type Graph struct {
	// Source is the Notifier's Config.Source, the source of its events.
	Source string `json:"source"`
	// Backend is the Go type of the backend, such as "*memory.Backend".
	Backend string `json:"backend"`
	// Channels are those with a provider in this process.
	Channels []Channel `json:"channels"`
	// Guards are the names of the guards, in the order in which they are asked.
	Guards []string `json:"guards"`
	// Limits are those of the phases, if there are any.
	Limits []Limit `json:"limits,omitempty"`
	// Topics are what travels over the backend, and who reads it.
	Topics []Topic `json:"topics"`
	// Events are the vocabulary and the host's own events.
	Events []Event `json:"events"`
	// Observers are those registered in this process.
	Observers []Observer `json:"observers"`
}

// Channel is a way to reach a recipient.
type Channel struct {
	Name string `json:"name"`
	// Providers are in the order in which they are used.
	Providers []Provider `json:"providers"`
}

// Provider sends messages of a channel.
type Provider struct {
	Name string `json:"name"`
	// Type is its Go type.
	Type string `json:"type"`
}

// Limit is how long a phase may last.
type Limit struct {
	Phase string        `json:"phase"`
	After time.Duration `json:"after_ns"`
	// Then is the policy: "expire", "unknown", or empty for one that reports.
	Then string `json:"then,omitempty"`
}

// Topic is a topic of the backend.
type Topic struct {
	Name string `json:"name"`
	// Groups are the consumer groups of this process that read it.
	Groups []string `json:"groups"`
}

// Event is a type of event.
type Event struct {
	// Type is the one on the wire, such as "notify.sent.v1".
	Type string `json:"type"`
	// Struct is the Go type, such as "notify.Sent".
	Struct string `json:"struct"`
	// Own tells that the host registered it (RegisterEvent).
	Own bool `json:"own,omitempty"`
	// RaisedBy are the parts of notify that raise it: "route", "deliver", "report",
	// "cancel", "sweep", "observers". A host's own event has none.
	RaisedBy []string `json:"raised_by,omitempty"`
	// EmittedBy are the names of the observers that declare it or were seen to
	// emit it. What the host emits outside of observers is not known.
	EmittedBy []string `json:"emitted_by,omitempty"`
	// HandledBy are the names of the observers that get it.
	HandledBy []string `json:"handled_by,omitempty"`
}

// Observer is an observer of events.
type Observer struct {
	Name string `json:"name"`
	// Group is its consumer group.
	Group    string    `json:"group"`
	Handlers []Handler `json:"handlers"`
	// Emits are the events, by their type, that it declares or was seen to raise.
	Emits []Output `json:"emits,omitempty"`
	// Sends tells whether it sends notifications; nil if it neither declared
	// that nor was seen to do so.
	Sends *Output `json:"sends,omitempty"`
	// Concurrency, Timeout and Attempts are the observer's, defaults filled in.
	// A negative Timeout or Attempts is no limit.
	Concurrency int           `json:"concurrency"`
	Timeout     time.Duration `json:"timeout_ns"`
	Attempts    int           `json:"attempts"`
	// Background tells that closing does not wait until it has caught up.
	Background bool `json:"background,omitempty"`
	// ReplaySafe tells that it may be given its history again.
	ReplaySafe bool `json:"replay_safe,omitempty"`
}

// Handler is a function of an observer.
type Handler struct {
	// For is the Go type that it is registered for: a struct, or an interface
	// such as "any" that selects many.
	For string `json:"for"`
	// Events are the types of the events that it gets. All tells that it gets
	// every event, those that the program does not know too.
	Events []string `json:"events,omitempty"`
	All    bool     `json:"all,omitempty"`
	// Function is its name, such as "example.com/shop.(*Receipts).MarkSeen". File
	// and Line say where it is written, as the program was built; for a method's
	// value, which has no place of its own, where it was made a handler.
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int    `json:"line"`
}

// Output is something that an observer raises.
type Output struct {
	// Type is an event's; of a notification that is sent it is empty.
	Type string `json:"type,omitempty"`
	// Declared tells that it is in Observer.Emits, and Seen how often this
	// process saw it since it began.
	Declared bool  `json:"declared,omitempty"`
	Seen     int64 `json:"seen,omitempty"`
}

// Unhandled returns the types of the events that no observer of this process
// gets.
func (g *Graph) Unhandled() []string {
	var all []string
	for _, e := range g.Events {
		if len(e.HandledBy) == 0 {
			all = append(all, e.Type)
		}
	}
	return all
}

// Event returns the event of a type.
func (g *Graph) Event(eventType string) (Event, bool) {
	i := slices.IndexFunc(g.Events, func(e Event) bool { return e.Type == eventType })
	if i < 0 {
		return Event{}, false
	}
	return g.Events[i], true
}

// Observer returns the observer of a name.
func (g *Graph) Observer(name string) (Observer, bool) {
	i := slices.IndexFunc(g.Observers, func(o Observer) bool { return o.Name == name })
	if i < 0 {
		return Observer{}, false
	}
	return g.Observers[i], true
}

// Gets tells whether the observer gets events of a type.
func (o Observer) Gets(eventType string) bool {
	return slices.ContainsFunc(o.Handlers, func(h Handler) bool { return h.All || slices.Contains(h.Events, eventType) })
}

// All tells whether the observer gets every event.
func (o Observer) All() bool {
	return slices.ContainsFunc(o.Handlers, func(h Handler) bool { return h.All })
}
