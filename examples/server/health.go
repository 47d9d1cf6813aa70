package main

import "net/http"

// health answers a readiness probe: 503 while this process cannot do its work.
// What a restart would not help is told beside; how far observers are behind is
// among the metrics.
func (s *service) health(w http.ResponseWriter, r *http.Request) {
	h := s.notifier.Health(r.Context())
	if err := h.Err(); err != nil {
		s.log.Warn("not healthy", "error", err)
		unavailable.with("The server cannot do its work at the moment; its log says why.").write(w)
		return
	}
	respond(w, http.StatusOK, "application/json", struct {
		Status          string           `json:"status"`
		ProvidersDown   []string         `json:"providers_down,omitempty"`
		ObserversPaused []string         `json:"observers_paused,omitempty"`
		DeadLetters     map[string]int64 `json:"dead_letters,omitempty"`
	}{"ok", h.ProvidersDown, h.ObserversPaused, h.DeadLetters})
}
