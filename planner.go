package notify

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// planner makes plans: for the route step, and for Explain.
type planner struct {
	directory    Directory
	defaultRoute Route
	// usable has the channels that somebody sends on.
	usable map[Channel]bool
	// custom has the channels with a renderer of the host's.
	custom    map[Channel]bool
	templates *templates
}

// recipient is the recipient with addresses, if the directory has to be asked
// for them.
func (p *planner) recipient(ctx context.Context, to Recipient) (Recipient, error) {
	if len(to.Addresses) > 0 || p.directory == nil {
		return to, nil
	}
	var found Recipient
	err := safely(func() (err error) {
		found, err = p.directory.Lookup(ctx, to.ID)
		return err
	})
	if err != nil {
		return to, fmt.Errorf("notify: look up a recipient: %w", err)
	}
	found.ID, found.Addresses = to.ID, maps.Clone(found.Addresses)
	if to.Name != "" {
		found.Name = to.Name
	}
	if to.Locale != "" {
		found.Locale = to.Locale
	}
	return found, nil
}

// misses tells whether a channel that the request asks for has no provider
// here.
func (p *planner) misses(request *Notification) (found bool) {
	request.Route.walk(func(leaf Route) { found = found || !p.usable[leaf.channel] })
	return found
}

// route is that of the request, or the default one.
func (p *planner) route(request *Notification) Route {
	if request.Route.IsZero() {
		return p.defaultRoute
	}
	return request.Route
}

// plan makes the plan of a request, leaving out what cannot be used.
func (p *planner) plan(request *Notification, recipient Recipient, without []Channel) planned {
	return makePlan(p.route(request), func(c Channel) RejectReason {
		address := recipient.Addresses[c]
		switch {
		case slices.Contains(without, c):
			return RejectGuard
		case !p.usable[c]:
			return RejectNoProvider
		case address == "":
			return RejectNoAddress
		case addressProblem(c, address) != "":
			return RejectBadAddress
		case request.Template != "" && request.Content.isEmpty() && !p.custom[c] && !p.templates.has(request.Template, c, recipient.Locale):
			return RejectNoTemplate
		}
		return ""
	})
}
