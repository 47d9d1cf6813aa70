package timelinehttp

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// query reads the parameters of a list; if no tenant is one, it is of all of them. All
// that is wrong is reported at once.
func query(raw string) (timeline.Query, error) {
	var q timeline.Query
	values, err := url.ParseQuery(raw)
	if err != nil { // its text has what the client wrote
		return q, &notify.FieldError{Field: "query", Problem: "must be parameters as URLs have them: name=value, separated by &, with others than letters, digits, '-', '.', '_' and '~' as %XX"}
	}
	q.AllTenants = !values.Has("tenant")
	var found []error
	wrong := func(parameter, text string) {
		found = append(found, &notify.FieldError{Field: parameter, Problem: text})
	}
	for name, all := range values {
		if len(all) > 1 && name != "state" && name != "label" {
			wrong(name, "must be given once")
			continue
		}
		value := all[0]
		switch name {
		case "recipient_id":
			q.RecipientID = value
		case "tenant":
			q.Tenant = value
		case "category":
			q.Category = value
		case "channel":
			q.Channel = notify.Channel(value)
		case "label":
			var problem string
			if q.Labels, problem = labels(all); problem != "" {
				wrong(name, problem)
			}
		case "after":
			q.After = value
		case "state":
			for _, state := range all {
				q.States = append(q.States, notify.State(state))
			}
			if slices.ContainsFunc(q.States, func(s notify.State) bool { return !slices.Contains(states(), s) }) {
				wrong(name, fmt.Sprintf("must be one of %v", states()))
			}
		case "settled":
			settled, err := strconv.ParseBool(value)
			if err != nil {
				wrong(name, "must be true or false")
			}
			q.Settled = &settled
		case "limit":
			limit, err := strconv.Atoi(value)
			if err != nil || limit < 1 || limit > maxLimit {
				wrong(name, fmt.Sprintf("must be a number from 1 to %d", maxLimit))
				continue
			}
			q.Limit = limit
		case "from", "until":
			at, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				wrong(name, "must be a time as RFC 3339 writes it, such as 2026-11-25T18:00:00Z; a + in a URL is %2B")
			}
			if name == "from" {
				q.From = at
			} else {
				q.Until = at
			}
		default:
			wrong(name, "is no parameter of this list")
		}
	}
	_, _, err = q.Resolve()
	return q, errors.Join(append(found, err)...)
}

// states are those that a notification can be in.
func states() []notify.State {
	return []notify.State{
		notify.StateAccepted, notify.StateRouted, notify.StateSending, notify.StateSent, notify.StateDelivered, notify.StateUnknown,
		notify.StateBounced, notify.StateUndelivered, notify.StateFailed, notify.StateCanceled, notify.StateExpired, notify.StateSuppressed,
	}
}

// labels reads pairs of the form name:value; a name may hold no colon.
func labels(pairs []string) (labels map[string]string, problem string) {
	labels = map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, ":")
		if !ok || name == "" {
			return nil, "must be a name, a colon and a value, such as order:A-1017"
		}
		if other, twice := labels[name]; twice && other != value {
			return nil, "names one label with two values: no notification has both"
		}
		labels[name] = value
	}
	return labels, ""
}

// parameter is the name in a request of a field of the query.
func parameter(field string) string {
	name, of := strings.CutPrefix(field, "Query.")
	if !of {
		return field
	}
	if name == "Labels" {
		return "label"
	}
	return strings.ToLower(name)
}
