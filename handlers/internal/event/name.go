// Package event holds what the handlers packages share about events.
package event

import "strings"

// Name returns the short name of an event by its type on the wire: "sent" for
// "notify.sent.v1". A type of the host's own is its name in full.
func Name(wireType string) string {
	name, own := strings.CutPrefix(wireType, "notify.")
	if !own {
		return wireType
	}
	if dot := strings.LastIndexByte(name, '.'); dot > 0 && name[dot+1:] == "v1" {
		return name[:dot]
	}
	return name
}
