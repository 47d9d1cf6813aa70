package notify

import "strings"

// Route is a plan of channels, made by [First] and [All]; First of one channel
// is that channel. The zero Route is the default one. Routes are values and may
// be shared. A route has at most 8 levels and 32 legs.
type Route struct {
	kind     routeKind
	channel  Channel
	children []Route
	onDoubt  bool
}

type routeKind uint8

const (
	routeDefault routeKind = iota
	routeChannel
	routeFirst
	routeAll
)

// Step is what [First] and [All] are made of: a [Channel] (a constant such as
// [EmailChannel], not a plain string) or a [Route].
type Step interface {
	asRoute() Route
}

func (c Channel) asRoute() Route { return Route{kind: routeChannel, channel: c} }

func (r Route) asRoute() Route { return r }

// First tries the steps in order until one has sent: the next one starts only
// when the one before has definitely failed. It is over with the first that
// succeeds. See [Route.OnDoubt] for a step that may or may not have sent.
func First(steps ...Step) Route { return Route{kind: routeFirst, children: asRoutes(steps)} }

// All uses all the steps, at the same time. It succeeds if any of them does,
// and fails when every one has.
func All(steps ...Step) Route { return Route{kind: routeAll, children: asRoutes(steps)} }

// OnDoubt returns the route with its First steps going on to the next step
// also when nobody can tell whether a step has sent: the recipient may then
// get it twice. Without it such a notification settles as Unknown.
func (r Route) OnDoubt() Route {
	r.onDoubt = true
	return r
}

// IsZero tells whether r is the zero Route.
func (r Route) IsZero() bool { return r.kind == routeDefault }

// String returns the route as it reads in a program, such as
// "First(push, All(email, sms))"; of the zero Route, "default". What is beyond
// the bounds of a route is cut off.
func (r Route) String() string {
	var text strings.Builder
	steps := 0
	r.write(&text, &steps)
	return text.String()
}

func (r Route) write(text *strings.Builder, steps *int) {
	*steps++
	switch r.kind {
	case routeDefault:
		text.WriteString("default")
		return
	case routeChannel:
		text.WriteString(string(r.channel))
		return
	case routeFirst:
		text.WriteString("First(")
	case routeAll:
		text.WriteString("All(")
	}
	for i, child := range r.children {
		if i > 0 {
			text.WriteString(", ")
		}
		if *steps == maxRouteSteps {
			text.WriteString("…")
			break
		}
		child.write(text, steps)
	}
	text.WriteByte(')')
	if r.onDoubt {
		text.WriteString(".OnDoubt()")
	}
}

// Channels returns the channels of the route in order, each once.
func (r Route) Channels() []Channel {
	var channels []Channel
	seen := map[Channel]bool{}
	r.walk(func(leaf Route) {
		if !seen[leaf.channel] {
			seen[leaf.channel] = true
			channels = append(channels, leaf.channel)
		}
	})
	return channels
}

func (r Route) walk(visit func(leaf Route)) {
	if r.kind == routeChannel {
		visit(r)
	}
	for _, child := range r.children {
		child.walk(visit)
	}
}

func asRoutes(steps []Step) []Route {
	routes := make([]Route, len(steps))
	for i, step := range steps {
		if step != nil {
			routes[i] = step.asRoute()
		}
	}
	return routes
}
