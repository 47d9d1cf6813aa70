package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
)

type routeJSON struct {
	First   []Route `json:"first,omitempty"`
	All     []Route `json:"all,omitempty"`
	OnDoubt bool    `json:"on_doubt,omitempty"`
}

// MarshalJSON writes a channel as a string, First and All as objects:
// {"first": ["push", {"all": ["email", "sms"]}], "on_doubt": true}.
func (r Route) MarshalJSON() ([]byte, error) { return r.appendJSON(nil), nil }

// appendJSON is MarshalJSON without an encoder for each level, since a record is
// written with its route again and again.
func (r Route) appendJSON(to []byte) []byte {
	switch r.kind {
	case routeChannel:
		if !r.onDoubt {
			return appendString(to, string(r.channel))
		}
		to = appendRoutes(to, "first", []Route{r.channel.asRoute()})
	case routeFirst:
		to = appendRoutes(to, "first", r.children)
	case routeAll:
		to = appendRoutes(to, "all", r.children)
	default:
		return append(to, "null"...)
	}
	if r.onDoubt {
		to = append(to, `,"on_doubt":true`...)
	}
	return append(to, '}')
}

// appendRoutes opens an object, and writes the member that it begins with.
func appendRoutes(to []byte, name string, routes []Route) []byte {
	to = append(append(append(to, `{"`...), name...), `":[`...)
	for i, r := range routes {
		if i > 0 {
			to = append(to, ',')
		}
		to = r.appendJSON(to)
	}
	return append(to, ']')
}

// maxRouteBytes bounds a route as JSON: reading one takes time that grows with
// its depth.
const maxRouteBytes = 16 << 10

// UnmarshalJSON reads what MarshalJSON writes, up to 16 KiB.
func (r *Route) UnmarshalJSON(data []byte) error {
	if len(data) > maxRouteBytes {
		return fmt.Errorf("notify: route: %w: more than %d bytes", ErrTooLarge, maxRouteBytes)
	}
	*r = Route{}
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '"' {
		r.kind = routeChannel
		return json.Unmarshal(data, (*string)(&r.channel))
	}
	var read *routeJSON
	if err := json.Unmarshal(data, &read); err != nil {
		return fmt.Errorf("notify: route: %w", err)
	}
	switch {
	case read == nil:
	case len(read.First) > 0 && len(read.All) > 0:
		return fmt.Errorf("notify: route: an object has either \"first\" or \"all\"")
	case len(read.First) > 0:
		*r = Route{kind: routeFirst, children: read.First, onDoubt: read.OnDoubt}
	case len(read.All) > 0:
		*r = Route{kind: routeAll, children: read.All, onDoubt: read.OnDoubt}
	default:
		return fmt.Errorf("notify: route: an object needs \"first\" or \"all\"")
	}
	return nil
}
