package main

import (
	"net/http"
	"strings"
)

// mermaidType is the media type that IANA registers for Mermaid.
const mermaidType = "application/vnd.mermaid"

// topology answers with what the program is made of: as JSON, or as a diagram if
// that is accepted.
func (s *service) topology(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), mermaidType) {
		s.mermaid(w, r)
		return
	}
	respond(w, http.StatusOK, "application/json", s.notifier.Topology())
}

func (s *service) mermaid(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", mermaidType+"; charset=utf-8")
	_, _ = w.Write([]byte(s.notifier.Topology().Mermaid()))
}
