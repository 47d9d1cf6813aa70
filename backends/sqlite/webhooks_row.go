package sqlite

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// hook is an endpoint as it is stored.
type hook struct {
	webhook.Status
	number, made                        int64 // made are the attempts so far
	ready                               sql.NullString
	secrets, types                      string
	disabledAt, failingSince, heldUntil sql.NullString
	unreadable                          error // what is wrong with its types or secrets
}

const selectEndpoint = `SELECT number, id, tenant, url, secrets, types, ordered, concurrency, disabled, disabled_at,
	failing_since, held_until, proven, slow, pending, dropped, attempts, ready FROM webhook_endpoints`

// into is what a row of selectEndpoint is scanned into, before decode.
func (h *hook) into() []any {
	return []any{
		&h.number, &h.ID, &h.Tenant, &h.URL, &h.secrets, &h.types, &h.Ordered, &h.Concurrency, &h.Disabled, &h.disabledAt,
		&h.failingSince, &h.heldUntil, &h.Proven, &h.Slow, &h.Pending, &h.Dropped, &h.made, &h.ready,
	}
}

func (h *hook) decode() {
	h.DisabledAt, h.FailingSince, h.HeldUntil = moment(h.disabledAt), moment(h.failingSince), moment(h.heldUntil)
	var secrets []string
	if json.Unmarshal([]byte(h.types), &h.Types) != nil || json.Unmarshal([]byte(h.secrets), &secrets) != nil {
		h.unreadable = errors.New("its types or secrets are no JSON")
	}
	for i, s := range secrets {
		secret, err := webhook.ParseSecret(s)
		if err != nil {
			h.unreadable = fmt.Errorf("secret %d is not as it was stored: %w", i, err)
		}
		h.Secrets = append(h.Secrets, secret)
	}
	if h.unreadable != nil {
		h.Secrets = nil
	}
}

// shown is the endpoint's status for the host.
func (h *hook) shown() webhook.Status {
	s := h.Status
	if h.unreadable != nil && s.Disabled == "" { // as the next claim will see
		s.Disabled = webhook.DisabledUnreadable
	}
	return s
}

// endpointBy reads the endpoint of an id or a number, or fails with
// [sql.ErrNoRows].
func (t *tx) endpointBy(column string, value any) (h hook, err error) {
	err = t.row(selectEndpoint+" WHERE "+column+" = ?", []any{value}, h.into()...)
	h.decode()
	return h, err
}

// writeEndpoint writes what the host says of the endpoint; saveStatus has to
// follow.
func (t *tx) writeEndpoint(h *hook) error {
	var revealed []string
	for _, s := range h.Secrets {
		revealed = append(revealed, s.Reveal())
	}
	secrets, _ := json.Marshal(revealed)
	types, _ := json.Marshal(h.Types) // strings always have a form
	columns := []any{h.URL, string(secrets), string(types), h.Ordered, h.Concurrency, h.ID}
	if h.number != 0 {
		_, err := t.exec("UPDATE webhook_endpoints SET url = ?, secrets = ?, types = ?, ordered = ?, concurrency = ? WHERE id = ?", columns...)
		return err
	}
	err := t.row(`INSERT INTO webhook_endpoints (url, secrets, types, ordered, concurrency, id, tenant, disabled, proven, slow, pending, dropped,
		attempts, lane) VALUES (?, ?, ?, ?, ?, ?, ?, '', 0, 0, 0, 0, 0, 0) RETURNING number`, append(columns, h.Tenant), &h.number)
	if err == nil {
		t.count(&t.store.endpoints, 1)
	}
	return err
}

// saveStatus writes what is known about the endpoint, and works out when its next
// delivery can be claimed: it must follow every change of what waits for it. A
// call is free when so many leases are over that others are fewer than the calls
// that there may be.
func (t *tx) saveStatus(h *hook) error {
	_, err := t.exec(`UPDATE webhook_endpoints AS e SET disabled = ?, disabled_at = ?, failing_since = ?, held_until = ?, proven = ?, slow = ?,
		pending = ?, dropped = ?, attempts = ?, lane = ?, first_due = CASE
			WHEN ordered THEN (SELECT due FROM webhook_waiting WHERE endpoint = e.number ORDER BY message LIMIT 1)
			ELSE (SELECT due FROM webhook_waiting WHERE endpoint = e.number ORDER BY due LIMIT 1) END,
		call_free = (SELECT due FROM webhook_waiting WHERE endpoint = e.number AND token IS NOT NULL ORDER BY due DESC LIMIT 1 OFFSET ?)
		WHERE number = ?`,
		string(h.Disabled), known(h.DisabledAt), known(h.FailingSince), optional(h.HeldUntil), h.Proven, h.Slow,
		h.Pending, h.Dropped, h.made, int(h.Lane()), h.Calls()-1, h.number)
	return err
}

// known is text, or NULL for the zero time.
func known(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return text(t)
}
