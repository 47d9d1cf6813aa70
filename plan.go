package notify

// plan is the route of one notification with its legs numbered: what the
// record keeps. How far it got follows from the legs alone.
type plan struct {
	Leg      int       `json:"leg,omitempty"` // of a leaf, counted from 1
	Kind     routeKind `json:"kind"`
	Children []plan    `json:"children,omitempty"`
	OnDoubt  bool      `json:"on_doubt,omitempty"`
}

// planned is what makePlan decided.
type planned struct {
	plan     plan
	route    Route // what is left of the route
	legs     []Leg
	rejected []Rejected
}

// makePlan leaves out the channels that reject names a reason for, and numbers
// the legs that remain.
func makePlan(route Route, reject func(Channel) RejectReason) planned {
	var p planned
	p.plan, p.route, _ = p.add(route, reject)
	return p
}

func (p *planned) add(route Route, reject func(Channel) RejectReason) (plan, Route, bool) {
	if route.kind == routeChannel {
		if reason := reject(route.channel); reason != "" {
			p.rejected = append(p.rejected, Rejected{Channel: route.channel, Reason: reason})
			return plan{}, Route{}, false
		}
		p.legs = append(p.legs, Leg{Leg: len(p.legs) + 1, Channel: route.channel})
		return plan{Leg: len(p.legs), Kind: routeChannel}, route, true
	}
	node := plan{Kind: route.kind, OnDoubt: route.onDoubt}
	left := Route{kind: route.kind, onDoubt: route.onDoubt}
	for _, child := range route.children {
		if childPlan, childRoute, ok := p.add(child, reject); ok {
			node.Children = append(node.Children, childPlan)
			left.children = append(left.children, childRoute)
		}
	}
	return node, left, len(node.Children) > 0
}

// progress is how far a part of a plan got.
type progress uint8

const (
	pending progress = iota
	succeeded
	failed
	doubtful // nobody knows whether it succeeded
)

// next says how far the plan got, and which waiting legs should start now.
func (p *plan) next(legs []legRecord) (progress, []int) {
	switch p.Kind {
	case routeChannel:
		leg := &legs[p.Leg-1]
		switch {
		case leg.State == legWaiting:
			return pending, []int{p.Leg}
		case leg.State != legEnded:
			return pending, nil
		case leg.Reason == "":
			return succeeded, nil
		case leg.Reason == EndInDoubt:
			return doubtful, nil
		default:
			return failed, nil
		}
	case routeFirst:
		return p.nextFirst(legs)
	default:
		return p.nextAll(legs)
	}
}

func (p *plan) nextFirst(legs []legRecord) (progress, []int) {
	result := failed
	for i := range p.Children {
		got, start := p.Children[i].next(legs)
		switch {
		case got == pending || got == succeeded:
			return got, start
		case got == doubtful && !p.OnDoubt:
			return doubtful, nil
		case got == doubtful:
			result = doubtful
		}
	}
	return result, nil
}

func (p *plan) nextAll(legs []legRecord) (progress, []int) {
	var counts [doubtful + 1]int
	var start []int
	for i := range p.Children {
		got, more := p.Children[i].next(legs)
		counts[got]++
		start = append(start, more...)
	}
	for _, result := range []progress{pending, succeeded, doubtful} {
		if counts[result] > 0 {
			return result, start
		}
	}
	return failed, nil
}
