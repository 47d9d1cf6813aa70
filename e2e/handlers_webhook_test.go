package e2e_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// hookStore is a store as a process has it: its answers get lost, and what it
// leases to a process that dies is free soon. Unsafe, it says that it has what it
// has not.
type hookStore struct {
	webhook.Store
	p      *process
	unsafe bool
}

func (s hookStore) Add(ctx context.Context, m webhook.Message) (endpoints int, err error) {
	err = s.p.r.trouble.write(func() error {
		endpoints, err = s.Store.Add(ctx, m)
		return err
	})
	if s.unsafe {
		err = nil
	}
	return endpoints, err
}

func (s hookStore) Claim(ctx context.Context, c webhook.Claiming) ([]webhook.Claim, time.Time, error) {
	if s.p.ctx.Err() != nil {
		return nil, time.Time{}, errDead
	}
	c.Until = c.Now.Add(500 * time.Millisecond)
	return s.Store.Claim(ctx, c)
}

func (s hookStore) Finish(ctx context.Context, c webhook.Claim, o webhook.Outcome) error {
	if s.p.ctx.Err() != nil {
		return errDead
	}
	return s.Store.Finish(ctx, c, o)
}

// customer is a receiver that is down now and then. What it got is by path.
type customer struct {
	*httptest.Server
	check func(body []byte, h http.Header) error

	mu    sync.Mutex
	calls int
	got   map[string][]string
	wrong []string
}

func (c *customer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if err != nil {
		return
	}
	if err := c.check(body, r.Header); err != nil {
		c.wrong = append(c.wrong, err.Error())
	}
	if c.calls%7 == 3 || c.calls > 20 && c.calls < 40 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	c.got[r.URL.Path] = append(c.got[r.URL.Path], r.Header.Get(webhook.HeaderID))
}

func (c *customer) received(path string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got[path])
}

// webhookSubject: each endpoint got what it wants and nothing else, signed, and the
// ordered one in each notification's order.
func webhookSubject(t *trial, unsafe bool) subject {
	secret, store := webhook.NewSecret(), webhook.NewMemory()
	receiver := &customer{got: map[string][]string{}, check: theirs(t.t, secret).Verify}
	receiver.Server = httptest.NewServer(receiver)
	t.t.Cleanup(receiver.Close)
	address := netip.MustParseAddrPort(receiver.Listener.Addr().String())
	types := []string{"notify.delivered.v1", "notify.sent.v1", "notify.settled.v1", "notify.unsubscribed.v1"}
	wanted := func(known truth) (all []string) {
		for _, e := range known.all() {
			if slices.Contains(types, e.Type) {
				all = append(all, webhook.HeaderValue(e.ID))
			}
		}
		slices.Sort(all)
		return all
	}
	distinct := func(path string) []string {
		return slices.Compact(slices.Sorted(slices.Values(receiver.received(path))))
	}
	return subject{
		observers: []string{"webhooks"},
		attach: func(p *process) {
			hooks := webhook.New(hookStore{store, p, unsafe}, func(c *webhook.Config) {
				c.Network = webhook.Network{AllowHTTP: true, Ports: []uint16{address.Port()}, Allow: []netip.Prefix{netip.PrefixFrom(address.Addr(), 32)}}
				c.Schedule = slices.Repeat([]time.Duration{5 * time.Millisecond}, 50)
				c.Poll, c.Logger = 100*time.Millisecond, slog.New(slog.DiscardHandler)
				t.trouble.observe(&c.Observer)
			})
			p.Attach(hooks)
			for _, path := range []string{"/ordered", "/free"} {
				if err := hooks.Put(context.Background(), webhook.Endpoint{
					ID: path[1:], Tenant: "shop", URL: receiver.URL + path, Secrets: []webhook.Secret{secret}, Types: types, Ordered: path == "/ordered",
				}); err != nil {
					t.t.Error(err)
				}
			}
		},
		rested: func(p *process, _ truth) error {
			for _, id := range []string{"ordered", "free"} {
				if status, err := store.Get(p.ctx, id); err != nil || status.Pending > 0 {
					return fmt.Errorf("%d wait for %s: %w", status.Pending, id, err)
				}
			}
			return nil
		},
		check: func(_ *process, known truth) (wrong []string) {
			for _, path := range []string{"/ordered", "/free"} {
				if want, got := wanted(known), distinct(path); !slices.Equal(want, got) {
					wrong = append(wrong, fmt.Sprintf("%s got %d events, not %d", path, len(got), len(want)))
				}
			}
			names := map[string]string{}
			for _, e := range known.all() {
				names[webhook.HeaderValue(e.ID)] = e.ID
			}
			came := map[string][]string{}
			for _, header := range receiver.received("/ordered") {
				came[about(known, names[header])] = append(came[about(known, names[header])], names[header])
			}
			for _, one := range known.sent {
				if problem := known.disorder(one.id, came[one.id]); problem != "" {
					wrong = append(wrong, one.fate+": "+problem)
				}
			}
			receiver.mu.Lock()
			defer receiver.mu.Unlock()
			return append(wrong, receiver.wrong...)
		},
	}
}

// about returns the notification of an event.
func about(known truth, eventID string) string {
	for id, events := range known.events {
		if slices.ContainsFunc(events, func(e notify.Event[any]) bool { return e.ID == eventID }) {
			return id
		}
	}
	return ""
}
