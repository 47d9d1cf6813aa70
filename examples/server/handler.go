package main

import (
	"net/http"

	"github.com/seed-6c01d079/notify/handlers/timeline/timelinehttp"
)

// handler is all that is served.
func (s *service) handler() http.Handler {
	timeline := http.StripPrefix("/v1", timelinehttp.New(s.notifier, s.view, func(c *timelinehttp.Config) {
		c.AllTenants, c.Logger = true, s.log
	}))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/send", s.admit(s.send))
	mux.HandleFunc("GET /v1/notifications", s.admit(timeline.ServeHTTP))
	mux.HandleFunc("GET /v1/notifications/{id}", s.admit(s.status))
	mux.HandleFunc("DELETE /v1/notifications/{id}", s.admit(s.cancel))
	mux.HandleFunc("GET /v1/notifications/{id}/events", s.admitStream(s.stream(timeline)))
	mux.HandleFunc("GET /v1/topology", s.admit(s.topology))
	mux.HandleFunc("GET /v1/topology.mmd", s.admit(s.mermaid))
	mux.HandleFunc("GET /healthz", s.admit(s.health))
	mux.Handle("GET /metrics", s.metrics.handler)
	mux.HandleFunc("GET /problems", explainProblems)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			w = &unmatched{ResponseWriter: w}
		}
		mux.ServeHTTP(w, r)
	})
}

// unmatched is the answer to a request that no pattern is for: the mux's own
// status and Allow, with a problem for its body.
type unmatched struct{ http.ResponseWriter }

func (u *unmatched) WriteHeader(status int) {
	p := noSuchPath
	if status == http.StatusMethodNotAllowed {
		p = wrongMethod
	}
	p.write(u.ResponseWriter)
}

func (u *unmatched) Write(text []byte) (int, error) { return len(text), nil }
