package main

import (
	"context"
	"net/http"
	"regexp"

	"github.com/seed-6c01d079/notify"
)

// traceparent is that of W3C Trace Context, section 3.2, in its version 00.
var traceparent = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// traced returns the request's context with its trace, which every event of what
// it sends carries then.
func traced(r *http.Request) context.Context {
	parent := r.Header.Get("Traceparent")
	if !traceparent.MatchString(parent) {
		return r.Context()
	}
	return notify.WithTrace(r.Context(), parent, r.Header.Get("Tracestate"))
}
