package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify"
)

// payload is what is posted: type, timestamp and data as Standard Webhooks 1.0
// recommends them, and beside them what the event is about.
type payload struct {
	Type           string            `json:"type"`
	Timestamp      time.Time         `json:"timestamp"`
	ID             string            `json:"id"`
	NotificationID string            `json:"notification_id"`
	RecipientID    string            `json:"recipient_id,omitempty"`
	Category       string            `json:"category,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Data           any               `json:"data"`
	Truncated      bool              `json:"truncated,omitempty"`
}

// minMaxBytes holds a payload without data, whatever is in its envelope.
const minMaxBytes = 16 << 10

// message makes of an event what is sent.
func (c *Config) message(e notify.Event[any], now time.Time) (Message, error) {
	m := Message{ID: e.ID, Type: e.Type, Tenant: e.Tenant, At: now}
	p := payload{
		Type: e.Type, Timestamp: e.Time.UTC(), ID: e.ID, NotificationID: e.NotificationID,
		RecipientID: e.RecipientID, Category: e.Category,
	}
	for _, name := range c.Labels {
		if value, found := e.Labels[name]; found {
			if p.Labels == nil {
				p.Labels = map[string]string{}
			}
			p.Labels[name] = value
		}
	}
	var err error
	if p.Data, err = c.Data(e); err != nil {
		return m, fmt.Errorf("webhook: make the data of %s: %w", e.Type, err)
	}
	if m.Body, err = p.marshal(); err != nil {
		return m, err
	}
	if len(m.Body) > c.MaxBytes {
		p.Data, p.Truncated = struct{}{}, true
		if m.Body, err = p.marshal(); err != nil {
			return m, err
		}
	}
	if len(m.Body) > c.MaxBytes {
		return m, notify.Permanent(fmt.Errorf("webhook: the envelope of %s: %w", e.Type, notify.ErrTooLarge))
	}
	return m, nil
}

func (p *payload) marshal() ([]byte, error) {
	body, err := json.Marshal(p)
	if err != nil {
		// Its text may hold the data.
		return nil, notify.Permanent(errors.New("webhook: the data of " + p.Type + " cannot be written as JSON"))
	}
	return body, nil
}

// eventData is the event's own data, as it is on a wire.
func eventData(e notify.Event[any]) (any, error) {
	if raw, isRaw := e.Data.(notify.Raw); isRaw {
		return json.RawMessage(raw), nil
	}
	return e.Data, nil
}
