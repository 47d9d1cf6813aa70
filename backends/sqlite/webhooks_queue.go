package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// Add implements [webhook.Store].
func (w *webhooks) Add(ctx context.Context, m webhook.Message) (endpoints int, err error) {
	err = w.use(ctx, "add a webhook message", func(s *store) error {
		// Most messages, of most hosts, nobody wants: the writer need not know.
		var wanted bool
		if err := s.reads.row(wantedQuery, []any{m.Tenant, m.Type}, &wanted); err != nil || !wanted {
			return err
		}
		return s.writer.do(ctx, len(m.Body), func(t *tx) (err error) {
			endpoints, err = t.addMessage(m)
			return err
		})
	})
	if err != nil {
		return 0, err
	}
	return endpoints, nil
}

const wantedQuery = "SELECT EXISTS (SELECT 1 FROM webhook_types WHERE tenant = ? AND type = ?)"

func (t *tx) addMessage(m webhook.Message) (endpoints int, err error) {
	var wanted, present bool
	err = t.row("SELECT EXISTS (SELECT 1 FROM webhook_messages WHERE id = ?)", []any{m.ID}, &present)
	if err == nil {
		err = t.row(wantedQuery, []any{m.Tenant, m.Type}, &wanted)
	}
	if err != nil || present || !wanted {
		return 0, err
	}
	var number int64
	err = t.row("INSERT INTO webhook_messages (id, type, tenant, at, size, body) VALUES (?, ?, ?, ?, ?, ?) RETURNING number",
		[]any{m.ID, m.Type, m.Tenant, text(m.At), len(m.Body), content(m.Body)}, &number)
	if err != nil {
		return 0, err
	}
	t.count(&t.store.hooks, 1)
	t.count(&t.store.hookBytes, len(m.Body))
	if err := t.dropMessages(number); err != nil {
		return 0, err
	}
	if err := t.makeRoomFor(m.Tenant, m.Type); err != nil {
		return 0, err
	}
	due := notBefore(m.At)
	n, err := t.exec(`INSERT INTO webhook_waiting (endpoint, message, attempts, due) SELECT endpoint, ?, 0, ?
		FROM webhook_types JOIN webhook_endpoints e ON e.number = endpoint WHERE webhook_types.tenant = ? AND type = ? AND disabled = ''`,
		number, due, m.Tenant, m.Type)
	if err != nil {
		return 0, err
	}
	// As saveStatus would, for all of them at once.
	_, err = t.exec(`UPDATE webhook_endpoints SET pending = pending + 1, first_due = CASE
		WHEN first_due IS NULL THEN ?1 WHEN ordered THEN first_due ELSE min(first_due, ?1) END
		WHERE number IN (SELECT endpoint FROM webhook_types WHERE tenant = ?2 AND type = ?3) AND disabled = ''`, due, m.Tenant, m.Type)
	return int(n), err
}

// dropMessages drops the oldest messages while there are too many, but not the
// newest, with what still waits for them. If there are many more, since the cap was
// another, it takes some steps.
func (t *tx) dropMessages(newest int64) error {
	c := t.store.config
	for range drops {
		if t.store.hooks <= c.MaxWebhookMessages && t.store.hookBytes <= c.MaxWebhookBytes {
			return nil
		}
		var oldest int64
		var size int
		err := t.row("SELECT number, size FROM webhook_messages WHERE number = (SELECT min(number) FROM webhook_messages)", nil, &oldest, &size)
		if err != nil || oldest == newest {
			return err
		}
		if err := t.dropMessage(oldest); err != nil {
			return err
		}
		t.count(&t.store.hooks, -1)
		t.count(&t.store.hookBytes, -size)
	}
	return nil
}

func (t *tx) dropMessage(number int64) error {
	leased, err := t.numbers("SELECT endpoint FROM webhook_waiting WHERE message = ? AND token IS NOT NULL", number)
	if err != nil {
		return err
	}
	// As saveStatus would, for all of them at once.
	if _, err := t.exec(`UPDATE webhook_endpoints AS e SET pending = pending - 1, dropped = dropped + 1, first_due = CASE
		WHEN ordered THEN (SELECT due FROM webhook_waiting WHERE endpoint = e.number AND message != ?1 ORDER BY message LIMIT 1)
		ELSE (SELECT due FROM webhook_waiting WHERE endpoint = e.number AND message != ?1 ORDER BY due LIMIT 1) END
		WHERE number IN (SELECT endpoint FROM webhook_waiting WHERE message = ?1)`, number); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM webhook_messages WHERE number = ?", number); err != nil { // and what waits
		return err
	}
	for _, endpoint := range leased { // which have a call free
		h, err := t.endpointBy("number", endpoint)
		if err == nil {
			err = t.saveStatus(&h)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// makeRoomFor has each endpoint that gets a message of the type have room for one
// more, if there is one that is not leased.
func (t *tx) makeRoomFor(tenant, kind string) error {
	most := t.store.config.MaxWebhookPending
	full, err := t.numbers(`SELECT endpoint FROM webhook_types JOIN webhook_endpoints e ON e.number = endpoint
		WHERE webhook_types.tenant = ? AND type = ? AND disabled = '' AND pending >= ?`, tenant, kind, most)
	if err != nil {
		return err
	}
	for _, number := range full {
		h, err := t.endpointBy("number", number)
		if err != nil {
			return err
		}
		n, err := t.exec(`DELETE FROM webhook_waiting WHERE endpoint = ?1 AND message IN (SELECT message FROM webhook_waiting
			WHERE endpoint = ?1 AND token IS NULL ORDER BY message LIMIT ?2)`, number, min(h.Pending-most+1, drops))
		if err != nil {
			return err
		}
		h.Pending -= int(n)
		h.Dropped += n
		if err := t.saveStatus(&h); err != nil {
			return err
		}
	}
	return nil
}

// numbers reads a column of numbers.
func (t *tx) numbers(query string, args ...any) (all []int64, err error) {
	err = t.each(query, args, func(scan func(...any) error) (bool, error) {
		var n int64
		err := scan(&n)
		all = append(all, n)
		return true, err
	})
	return all, err
}

// Replay implements [webhook.Store].
func (w *webhooks) Replay(ctx context.Context, id string, from time.Time) (messages int, rest time.Time, err error) {
	err = w.use(ctx, "replay webhook messages", func(s *store) error {
		return s.do(ctx, func(t *tx) (err error) {
			messages, rest, err = t.replay(id, from)
			return err
		})
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	return messages, rest, nil
}

// missedWhere finds what an endpoint wants that does not wait for it, from the
// oldest on.
const missedWhere = ` FROM webhook_messages m WHERE tenant = ?1 AND at >= ?2
	AND type IN (SELECT value FROM json_each(?3)) AND NOT EXISTS (SELECT 1 FROM webhook_waiting WHERE endpoint = ?4 AND message = m.number)
	ORDER BY at, number LIMIT ?5`

func (t *tx) replay(id string, from time.Time) (messages int, rest time.Time, err error) {
	h, err := t.endpointBy("id", id)
	if isNoRows(err) {
		return 0, rest, endpointNotFound(id)
	}
	if err != nil {
		return 0, rest, err
	}
	room := max(t.store.config.MaxWebhookPending-h.Pending, 0)
	args := []any{h.Tenant, text(from), h.types, h.number, room}
	n, err := t.exec("INSERT INTO webhook_waiting (endpoint, message, attempts, due) SELECT ?4, number, 0, at"+missedWhere, args...)
	if err != nil {
		return 0, rest, err
	}
	if int(n) == room {
		args[len(args)-1] = 1
		var at sql.NullString
		if err := t.row("SELECT at"+missedWhere, args, &at); err != nil && !isNoRows(err) {
			return 0, rest, err
		}
		rest = moment(at)
	}
	h.Pending += int(n)
	return int(n), rest, t.saveStatus(&h)
}
