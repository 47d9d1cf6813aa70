package notify

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-6c01d079/notify/topology"
)

// Topology describes what this Notifier is made of, as it is now: events,
// observers, channels, topics, who raises and who handles what. It may be called
// at any time, and is the caller's own. What observers emit is what they declare
// by [Observer.Emits], and what this process has seen them emit since it began.
func (n *Notifier) Topology() *topology.Graph {
	g := &topology.Graph{
		Source: n.config.Source, Backend: fmt.Sprintf("%T", n.config.Backend),
		Channels: []topology.Channel{}, Guards: []string{}, Observers: []topology.Observer{},
	}
	n.mu.Lock()
	for _, guard := range n.pipeline.guards {
		g.Guards = append(g.Guards, guard.name)
	}
	limits := n.decider.limited()
	for phase, limit := range limits {
		if limit.After > 0 {
			g.Limits = append(g.Limits, topology.Limit{Phase: string(phase), After: limit.After, Then: string(limit.Then)})
		}
	}
	slices.SortFunc(g.Limits, func(a, b topology.Limit) int { return strings.Compare(a.Phase, b.Phase) })
	topics := map[string][]string{eventsTopic: {}, routeTopic: {}}
	if n.config.Roles.Route {
		topics[routeTopic] = []string{pipelineGroup}
	}
	for _, s := range n.sendersLocked() {
		if last := len(g.Channels) - 1; last < 0 || g.Channels[last].Name != string(s.channel) {
			g.Channels = append(g.Channels, topology.Channel{Name: string(s.channel)})
		}
		c := &g.Channels[len(g.Channels)-1]
		c.Providers = append(c.Providers, topology.Provider{Name: s.policy.Name, Type: fmt.Sprintf("%T", s.provider)})
		for _, urgent := range []bool{true, false} {
			topic := deliverTopic(s.channel, urgent)
			topics[topic] = []string{}
			if n.config.Roles.delivers(s.channel) {
				topics[topic] = []string{pipelineGroup}
			}
		}
	}
	n.mu.Unlock()
	runners := n.bus.all()
	raised := raisers()
	for _, kind := range n.codec.kinds() {
		e := n.topologyEvent(kind, runners, raised)
		if slices.ContainsFunc(g.Limits, func(l topology.Limit) bool { return byLimit(kind.name, l) }) {
			e.RaisedBy = append(e.RaisedBy, "sweep")
		}
		g.Events = append(g.Events, e)
	}
	for _, r := range runners {
		g.Observers = append(g.Observers, n.topologyObserver(r))
		if n.config.Roles.Observe {
			topics[eventsTopic] = append(topics[eventsTopic], r.group())
		}
	}
	for name, groups := range topics {
		g.Topics = append(g.Topics, topology.Topic{Name: name, Groups: groups})
	}
	slices.SortFunc(g.Topics, func(a, b topology.Topic) int { return strings.Compare(a.Name, b.Name) })
	return g
}

func (n *Notifier) topologyEvent(kind *eventKind, runners []*runner, raised map[string]string) topology.Event {
	e := topology.Event{Type: kind.name, Struct: kind.event.String(), Own: !strings.HasPrefix(kind.name, ownPrefix)}
	if !e.Own {
		e.RaisedBy = strings.Fields(raised[strings.TrimSuffix(strings.TrimPrefix(kind.name, ownPrefix), ".v1")])
	}
	for _, r := range runners {
		if r.declares(kind.event) || r.outputs.count(kind.name) > 0 {
			e.EmittedBy = append(e.EmittedBy, r.Name)
		}
		if slices.ContainsFunc(r.Handlers, func(h Handler) bool { return h.gets(kind) }) {
			e.HandledBy = append(e.HandledBy, r.Name)
		}
	}
	slices.Sort(e.EmittedBy)
	slices.Sort(e.HandledBy)
	return e
}

func (n *Notifier) topologyObserver(r *runner) topology.Observer {
	o := topology.Observer{
		Name: r.Name, Group: r.group(), Concurrency: r.Concurrency, Timeout: r.Timeout, Attempts: r.Retry.Attempts, Background: r.Background,
		ReplaySafe: r.ReplaySafe,
	}
	for _, h := range r.Handlers {
		one := topology.Handler{For: typeName(h.event), All: h.some == nil && h.event == reflect.TypeFor[any]()}
		for _, kind := range n.codec.kinds() {
			if !one.All && h.gets(kind) {
				one.Events = append(one.Events, kind.name)
			}
		}
		one.Function, one.File, one.Line = h.place.describe()
		o.Handlers = append(o.Handlers, one)
	}
	for _, kind := range n.codec.kinds() {
		out := topology.Output{Type: kind.name, Declared: r.declares(kind.event), Seen: r.outputs.count(kind.name)}
		if out.Declared || out.Seen > 0 {
			o.Emits = append(o.Emits, out)
		}
	}
	sends := topology.Output{Declared: r.declares(reflect.TypeFor[Notification]()), Seen: r.outputs.count("")}
	if sends.Declared || sends.Seen > 0 {
		o.Sends = &sends
	}
	return o
}

// typeName is a type's, "any" for what reflect calls "interface {}".
func typeName(t reflect.Type) string {
	if t == reflect.TypeFor[any]() {
		return "any"
	}
	return t.String()
}

// declares tells whether Emits has a value of the type.
func (o *Observer) declares(t reflect.Type) bool {
	return slices.ContainsFunc(o.Emits, func(declared any) bool { return reflect.TypeOf(declared) == t })
}

// gets tells whether events of the kind are for the handler.
func (h *Handler) gets(kind *eventKind) bool {
	if h.some != nil {
		return slices.Contains(h.some, kind.event)
	}
	if h.event.Kind() == reflect.Interface {
		return kind.event.Implements(h.event)
	}
	return kind.event == h.event
}

// kinds are the events that the program knows, by their type.
func (c *codec) kinds() []*eventKind {
	var all []*eventKind
	for _, kind := range c.types.Load().byName {
		all = append(all, kind)
	}
	slices.SortFunc(all, func(a, b *eventKind) int { return strings.Compare(a.name, b.name) })
	return all
}

// raisers says which parts of notify raise the events of the vocabulary, by their
// names without what all of them have.
func raisers() map[string]string {
	return map[string]string{
		"accepted": "route", "delayed": "deliver route", "routed": "route",
		"rendered": "deliver", "sending": "deliver", "sent": "deliver", "retrying": "deliver", "failed_over": "deliver report route",
		"delivered": "report", "undelivered": "report", "bounced": "report",
		"failed": "cancel deliver report sweep", "unknown": "deliver", "undeliverable": "deliver report route sweep",
		"suppressed": "deliver route", "canceled": "cancel route", "expired": "deliver route sweep",
		"settled": "cancel deliver report route sweep", "corrected": "deliver report",
		"opened": "report", "clicked": "report", "read": "report", "archived": "report", "replied": "report",
		"complained": "report", "unsubscribed": "report",
		"observer_failed": "observers", "observer_skipped": "observers", "dead_lettered": "observers",
		"provider_down": "deliver", "provider_up": "deliver", "address_invalid": "deliver report", "stuck": "sweep",
	}
}

// byLimit tells whether the sweep raises an event only where there is such a limit.
func byLimit(eventType string, l topology.Limit) bool {
	switch eventType {
	case ownPrefix + "accepted.v1":
		return l.Phase == string(PhaseAccepted) || l.Phase == string(PhaseHeld)
	case ownPrefix + "unknown.v1":
		return l.Then == string(LimitUnknown)
	case ownPrefix + "failed_over.v1", ownPrefix + "suppressed.v1":
		return l.Then != string(LimitReport) && l.Phase != string(PhaseAccepted)
	default:
		return false
	}
}
