package timelinehttp

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/seed-6c01d079/notify"
)

// contentJSON is what was sent on a leg.
type contentJSON struct {
	Leg      int             `json:"leg"`
	Channel  notify.Channel  `json:"channel"`
	At       time.Time       `json:"at"`
	Template string          `json:"template,omitempty"`
	Locale   string          `json:"locale,omitempty"`
	Bytes    int             `json:"bytes"`
	Message  json.RawMessage `json:"message,omitempty"`
}

func (h *handler) contents(w http.ResponseWriter, r *http.Request) {
	tenant, ok := h.tenant(w, r)
	if !ok {
		return
	}
	entry, err := h.store.Get(r.Context(), r.PathValue("id"))
	if err == nil && !h.shows(entry.Status.Tenant, tenant) {
		err = notify.ErrNotFound
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	found, err := h.config.Contents.Get(r.Context(), entry.Status.NotificationID)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	var all []contentJSON
	for _, c := range found {
		all = append(all, contentJSON{c.Leg.Leg, c.Leg.Channel, c.At, c.Template, c.Locale, c.Bytes, c.Message})
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	respond(w, http.StatusOK, "application/json", struct {
		Contents []contentJSON `json:"contents"`
	}{all})
}
