package notify

import "fmt"

const (
	maxRouteDepth = 8
	maxRouteLegs  = 32
	maxRouteSteps = 256
)

// routeCheck checks a route. It stops at the caps, since a route that is built
// from shared parts can have far more legs than memory.
type routeCheck struct {
	*problems
	// channels are those with a provider; nil if this process cannot know.
	channels    map[Channel]bool
	legs, steps int
	full        bool
}

// step is where in the route a check is: "Route.First[1].All[0]".
type step struct {
	parent *step
	name   string
	index  int
}

func (s *step) String() string {
	if s.parent == nil {
		return s.name
	}
	return fmt.Sprintf("%s.%s[%d]", s.parent, s.name, s.index)
}

// route reports every problem of the route, of which being the zero Route is
// one, and returns how many steps it has.
func (p *problems) route(field string, r Route, channels map[Channel]bool) int {
	check := routeCheck{problems: p, channels: channels}
	check.route(&step{name: field}, r, 1)
	return check.steps
}

func (c *routeCheck) route(at *step, r Route, depth int) {
	c.steps++
	switch {
	case depth > maxRouteDepth+1, depth > maxRouteDepth && r.kind != routeChannel:
		c.stop(at, "a route is at most %d levels deep", maxRouteDepth)
	case c.steps > maxRouteSteps:
		c.stop(at, "a route has at most %d steps", maxRouteSteps)
	case r.kind == routeDefault:
		c.add(at.String(), "is nil or the zero Route; name a channel, First or All")
	case r.kind == routeChannel:
		c.leg(at, r.channel)
	default:
		c.children(at, r, depth)
	}
}

func (c *routeCheck) children(at *step, r Route, depth int) {
	name := "First"
	if r.kind == routeAll {
		name = "All"
	}
	if len(r.children) == 0 {
		c.add(at.String(), "%s has no steps", name)
	}
	for i, child := range r.children {
		if c.full {
			return
		}
		c.route(&step{parent: at, name: name, index: i}, child, depth+1)
	}
}

func (c *routeCheck) leg(at *step, channel Channel) {
	c.legs++
	switch {
	case c.legs > maxRouteLegs:
		c.stop(at, "a route has at most %d legs", maxRouteLegs)
	case !validChannelName(channel):
		c.add(at.String(), "a channel's name is 1 to 32 characters of a-z, 0-9, '-' and '_'")
	case c.channels != nil && !c.channels[channel]:
		c.add(at.String(), "the channel has no provider; give it one with notify.Use")
	}
}

func (c *routeCheck) stop(at *step, format string, args ...any) {
	c.full = true
	c.addErr(ErrTooLarge, at.String(), format, args...)
}
