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
func (r Route) MarshalJSON() ([]byte, error) {
	switch r.kind {
	case routeChannel:
		if !r.onDoubt {
			return json.Marshal(string(r.channel))
		}
		return json.Marshal(routeJSON{First: []Route{r.channel.asRoute()}, OnDoubt: true})
	case routeFirst:
		return json.Marshal(routeJSON{First: r.children, OnDoubt: r.onDoubt})
	case routeAll:
		return json.Marshal(routeJSON{All: r.children, OnDoubt: r.onDoubt})
	default:
		return []byte("null"), nil
	}
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
