package timelinehttp

import (
	"encoding/json"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// entryJSON is a notification.
type entryJSON struct {
	At        time.Time         `json:"at"`
	Status    notify.Status     `json:"status"`
	Labels    map[string]string `json:"labels,omitempty"`
	Events    []eventJSON       `json:"events"`
	Truncated bool              `json:"truncated,omitempty"`
}

// eventJSON is an event.
type eventJSON struct {
	ID          string            `json:"id"`
	Type        string            `json:"type"`
	Source      string            `json:"source,omitempty"`
	Time        time.Time         `json:"time"`
	Seen        time.Time         `json:"seen,omitzero"`
	CausationID string            `json:"causation_id,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Data        json.RawMessage   `json:"data"`
}

func (h *handler) entry(e timeline.Entry) (entryJSON, error) {
	found := entryJSON{At: e.At, Status: e.Status, Labels: e.Labels, Events: []eventJSON{}, Truncated: e.Truncated}
	for _, event := range e.Events {
		one, err := h.event(event)
		if err != nil {
			return entryJSON{}, err
		}
		found.Events = append(found.Events, one)
	}
	return found, nil
}

func (h *handler) event(e notify.Event[any]) (eventJSON, error) {
	m, err := h.notifier.Encode(e)
	if err != nil {
		return eventJSON{}, err
	}
	data := json.RawMessage(m.Payload)
	if !json.Valid(data) { // of an event that this program does not know
		data = json.RawMessage("null")
	}
	return eventJSON{
		ID: e.ID, Type: e.Type, Source: e.Source, Time: e.Time.UTC(), Seen: e.Seen.UTC(),
		CausationID: e.CausationID, Labels: e.Labels, Data: data,
	}, nil
}
