package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// Webhooks returns the store of the file's webhooks:
//
//	n.Attach(webhook.New(b.Webhooks()))
//
// It keeps the secrets of endpoints as they are, and their URLs: the file, which
// only its owner may read, and every copy of it are as secret as they are.
//
// At its caps, which are [Config.MaxWebhookEndpoints] and what follows there, it
// never waits:
//
//   - Too many endpoints: a new one is refused, with [notify.ErrOverloaded].
//   - Too many messages: the oldest is dropped, with its deliveries that still
//     wait. It cannot be replayed any more, and would count as new if its event
//     came again.
//   - Too many messages that wait for one endpoint: the oldest of them that is
//     not being sent waits no longer; it can be replayed.
//   - Too many attempts of an endpoint: its oldest is dropped.
//
// What was dropped while it waited counts in [webhook.Status.Dropped]. Nothing is
// dropped for its age. A lease outlives the process: what was claimed by one that
// died is claimed again when its lease is over.
func (b *Backend) Webhooks() webhook.Store { return &webhooks{b} }

type webhooks struct{ backend *Backend }

var _ webhook.Store = (*webhooks)(nil)

// use calls f with the open file, and says of an error what failed.
func (w *webhooks) use(ctx context.Context, what string, f func(*store) error) error {
	s, err := w.backend.enter(ctx)
	if err == nil {
		defer w.backend.leave()
		err = f(s)
	}
	if err != nil {
		return fmt.Errorf("sqlite: %s: %w", what, err)
	}
	return nil
}

func endpointNotFound(id string) error { return fmt.Errorf("endpoint %q: %w", id, notify.ErrNotFound) }

// Put implements [webhook.Store].
func (w *webhooks) Put(ctx context.Context, e webhook.Endpoint) error {
	return w.use(ctx, "put a webhook endpoint", func(s *store) error {
		return s.do(ctx, func(t *tx) error { return t.putEndpoint(e) })
	})
}

func (t *tx) putEndpoint(e webhook.Endpoint) error {
	known, err := t.endpointBy("id", e.ID)
	switch most := t.store.config.MaxWebhookEndpoints; {
	case err == nil:
	case !isNoRows(err):
		return err
	case t.store.endpoints >= most:
		return fmt.Errorf("there are %d, the Config's MaxWebhookEndpoints: %w", t.store.endpoints, notify.ErrOverloaded)
	default:
		known = hook{Status: webhook.Status{Endpoint: webhook.Endpoint{ID: e.ID, Tenant: e.Tenant}}}
	}
	if err := known.Change(e); err != nil {
		return err
	}
	if err := t.writeEndpoint(&known); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM webhook_types WHERE endpoint = ?", known.number); err != nil {
		return err
	}
	types, _ := json.Marshal(known.Types) // strings always have a form
	if _, err := t.exec("INSERT INTO webhook_types (tenant, type, endpoint) SELECT DISTINCT ?, value, ? FROM json_each(?)",
		known.Tenant, known.number, string(types)); err != nil {
		return err
	}
	return t.saveStatus(&known)
}

// Get implements [webhook.Store].
func (w *webhooks) Get(ctx context.Context, id string) (status webhook.Status, err error) {
	err = w.use(ctx, "get a webhook endpoint", func(s *store) error {
		var h hook
		err := s.reads.row(selectEndpoint+" WHERE id = ?", []any{id}, h.into()...)
		if isNoRows(err) {
			return endpointNotFound(id)
		}
		h.decode()
		status = h.shown()
		return err
	})
	return status, err
}

// List implements [webhook.Store].
func (w *webhooks) List(ctx context.Context, q webhook.Query) (page webhook.Page, err error) {
	q, err = q.Resolve()
	if err != nil {
		return page, err
	}
	err = w.use(ctx, "list webhook endpoints", func(s *store) error {
		query, args := endpointsQuery(q)
		return s.reads.each(ctx, query, args, func(scan func(...any) error) (bool, error) {
			if len(page.Endpoints) == q.Limit {
				page.Next = page.Endpoints[q.Limit-1].ID
				return false, nil
			}
			var h hook
			err := scan(h.into()...)
			h.decode()
			page.Endpoints = append(page.Endpoints, h.shown())
			return true, err
		})
	})
	if err != nil {
		return webhook.Page{}, err
	}
	return page, nil
}

// endpointsQuery finds the page's endpoints, and one more if there is one.
func endpointsQuery(q webhook.Query) (query string, args []any) {
	query, args = selectEndpoint+" WHERE id > ?", []any{q.After}
	if !q.AllTenants {
		query, args = query+" AND tenant = ?", append(args, q.Tenant)
	}
	switch {
	case q.Disabled == nil:
	case *q.Disabled:
		query += " AND disabled != ''"
	default:
		query += " AND disabled = ''"
	}
	return query + " ORDER BY id LIMIT ?", append(args, q.Limit+1)
}

// Delete implements [webhook.Store].
func (w *webhooks) Delete(ctx context.Context, id string) error {
	return w.use(ctx, "delete a webhook endpoint", func(s *store) error {
		return s.do(ctx, func(t *tx) error {
			n, err := t.exec("DELETE FROM webhook_endpoints WHERE id = ?", id) // and what refers to it
			if err == nil && n == 0 {
				return endpointNotFound(id)
			}
			t.count(&s.endpoints, -int(n))
			return err
		})
	})
}

// Switch implements [webhook.Store].
func (w *webhooks) Switch(ctx context.Context, id string, reason webhook.Reason, at time.Time) error {
	return w.use(ctx, "switch a webhook endpoint", func(s *store) error {
		return s.do(ctx, func(t *tx) error {
			h, err := t.endpointBy("id", id)
			if isNoRows(err) {
				return endpointNotFound(id)
			}
			if err != nil {
				return err
			}
			h.Switch(reason, at)
			return t.saveStatus(&h)
		})
	})
}
