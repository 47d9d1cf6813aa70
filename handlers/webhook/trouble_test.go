package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// oneLane is a store that knows no slow lane: the control of the test below.
type oneLane struct{ webhook.Store }

func (s oneLane) Claim(ctx context.Context, c webhook.Claiming) (claims []webhook.Claim, next time.Time, err error) {
	if c.Lane == webhook.Slow {
		return nil, time.Time{}, nil
	}
	c.Lane = webhook.Slow
	if claims, next, err = s.Store.Claim(ctx, c); err != nil || len(claims) == c.Limit {
		return claims, next, err
	}
	c.Lane, c.Limit = webhook.Fast, c.Limit-len(claims)
	fast, other, err := s.Store.Claim(ctx, c)
	if next.IsZero() || !other.IsZero() && other.Before(next) {
		next = other
	}
	return append(claims, fast...), next, err
}

// A hundred endpoints that hang, with room for 16 calls a lane: one that answers
// gets everything at once.
func TestTroubleHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	for _, guarded := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			hang := make(chan struct{})
			var store webhook.Store = webhook.NewMemory()
			if !guarded {
				store = oneLane{store}
			}
			var hanging atomic.Bool
			h := start(t, serve(t, func(w http.ResponseWriter, r request) {
				if r.host != host("good") && hanging.Load() {
					<-hang
				}
			}), store, func(c *webhook.Config) { c.Calls = 16 })
			defer h.stop()
			defer close(hang)
			h.endpoint("good")
			h.deliver("first")
			synctest.Wait()
			hanging.Store(true)
			for i := range 100 {
				h.endpoint(fmt.Sprint("bad_", i))
			}
			h.deliver(numbered("a", 10)...)
			synctest.Wait()
			time.Sleep(2 * time.Minute) // until they are known for what they are
			before := len(h.receivers.got(host("good")))
			h.deliver(numbered("b", 50)...)
			synctest.Wait()
			after := len(h.receivers.got(host("good")))
			if guarded {
				require.Equal(t, 1+10, before)
				require.Equal(t, before+50, after, "without any time passing")
			} else {
				require.Less(t, after, before+50, "the control: without lanes it waits for those that hang")
			}
		})
	}
}

// disabledEvents collects the events that say so.
func disabledEvents(h *hub) (get func() []notify.Event[webhook.EndpointDisabled]) {
	var all []notify.Event[webhook.EndpointDisabled]
	events := make(chan notify.Event[webhook.EndpointDisabled], 100)
	notify.On(h.n, "operators", func(_ context.Context, e notify.Event[webhook.EndpointDisabled]) error {
		events <- e
		return nil
	})
	return func() []notify.Event[webhook.EndpointDisabled] {
		for {
			select {
			case e := <-events:
				all = append(all, e)
			default:
				return all
			}
		}
	}
}

func TestGoneDisables(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, serve(t, func(w http.ResponseWriter, r request) {
			if r.host == host("gone") {
				w.WriteHeader(http.StatusGone)
			}
		}), webhook.NewMemory())
		defer h.stop()
		events := disabledEvents(h)
		h.endpoint("gone", func(e *webhook.Endpoint) { e.Ordered = true })
		h.endpoint("stays")
		h.deliver("e_1", "e_2")
		time.Sleep(time.Hour)
		h.deliver("e_3")
		time.Sleep(time.Hour)
		require.Equal(t, []string{"e_1"}, ids(h.receivers.got(host("gone"))))
		require.Len(t, h.receivers.got(host("stays")), 3)
		s := h.status("gone")
		require.Equal(t, webhook.DisabledGone, s.Disabled)
		require.Equal(t, 1, s.Pending, "e_2 stays")

		got := events()
		require.Len(t, got, 1)
		require.Equal(t, "shop", got[0].Tenant)
		require.Empty(t, got[0].NotificationID)
		require.Equal(t, "gone", got[0].Data.EndpointID)
		require.Equal(t, webhook.DisabledGone, got[0].Data.Reason)
		require.Equal(t, http.StatusGone, got[0].Data.Status)
		require.Equal(t, webhook.FailureGone, h.attempts("gone")[0].Failure)
	})
}

// A customer changes the URL because the old one is gone: what that still answers
// is not held against the new one, which gets what the old one did not take.
func TestAnEndpointThatMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, serve(t, func(w http.ResponseWriter, r request) {
			if r.host == host("ep") {
				time.Sleep(2 * time.Second)
				w.WriteHeader(http.StatusGone)
			}
		}), webhook.NewMemory())
		defer h.stop()
		events := disabledEvents(h)
		h.endpoint("ep")
		h.deliver("e_1")
		time.Sleep(time.Second)
		h.endpoint("ep", func(e *webhook.Endpoint) { e.URL = "http://" + host("moved") + "/hooks" })
		time.Sleep(10 * time.Second)
		require.Len(t, h.receivers.got(host("ep")), 1)
		require.Equal(t, []string{"e_1"}, ids(h.receivers.got(host("moved"))))
		s := h.status("ep")
		require.Empty(t, s.Disabled)
		require.True(t, s.Proven)
		require.Empty(t, events())
		require.Len(t, h.attempts("ep"), 2)
	})
}

// Calls that are under way when an endpoint is disabled say so no more.
func TestOneDisablingIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, serve(t, func(w http.ResponseWriter, r request) {
			if number, ok := strings.CutPrefix(r.id, "e_"); ok {
				later, err := strconv.Atoi(number)
				require.NoError(t, err)
				time.Sleep(time.Duration(later) * time.Second)
				w.WriteHeader(http.StatusGone)
			}
		}), webhook.NewMemory())
		defer h.stop()
		events := disabledEvents(h)
		h.endpoint("ep")
		h.deliver("first")
		time.Sleep(time.Second)
		h.deliver("e_1", "e_2", "e_3", "e_4")
		time.Sleep(time.Minute)
		require.Len(t, h.attempts("ep"), 5)
		require.Equal(t, webhook.DisabledGone, h.status("ep").Disabled)
		require.Len(t, events(), 1)
	})
}

// What is stored after the event may fail: then it is raised again.
func TestTheEventOfAnEndpointRepeatsWithItsID(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusGone, http.StatusInternalServerError} {
		synctest.Test(t, func(t *testing.T) {
			store := &failing{Store: webhook.NewMemory()}
			h := start(t, serve(t, answers(status)), store, func(c *webhook.Config) { c.DisableAfter = time.Second })
			defer h.stop()
			events := disabledEvents(h)
			h.endpoint("ep_1")
			if h.deliver("e_1"); status != http.StatusGone {
				synctest.Wait() // the first failure disables nothing yet
			}
			store.finish.Store(2)
			time.Sleep(time.Minute)
			require.NotEmpty(t, h.status("ep_1").Disabled)
			all := events()
			require.Len(t, all, 3)
			for _, e := range all {
				require.Equal(t, all[0].ID, e.ID)
				require.Equal(t, all[0].Data, e.Data)
			}
		})
	}
}

func TestFailingForDaysDisables(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var healed atomic.Bool
		h := start(t, serve(t, func(w http.ResponseWriter, _ request) {
			if !healed.Load() {
				w.WriteHeader(500)
			}
		}), webhook.NewMemory())
		defer h.stop()
		events := disabledEvents(h)
		h.endpoint("ep_1")
		began := time.Now()
		for day := range 5 {
			h.deliver(fmt.Sprint("day_", day))
			time.Sleep(24 * time.Hour)
			require.Equal(t, time.Since(began) > 5*24*time.Hour, h.status("ep_1").Disabled != "", "day %d", day)
		}
		require.Empty(t, events())
		time.Sleep(24 * time.Hour)
		s := h.status("ep_1")
		require.Equal(t, webhook.DisabledFailing, s.Disabled)
		require.GreaterOrEqual(t, s.DisabledAt.Sub(began), 5*24*time.Hour)
		got := events()
		require.Len(t, got, 1)
		require.Equal(t, began, got[0].Data.FailingSince.Local())
		require.Equal(t, webhook.FailureStatus, got[0].Data.Failure)

		h.deliver("missed")
		time.Sleep(24 * time.Hour)
		calls := len(h.receivers.got(""))
		time.Sleep(3 * 24 * time.Hour)
		require.Len(t, h.receivers.got(""), calls, "it gets nothing more")

		healed.Store(true)
		require.NoError(t, h.hooks.Enable(t.Context(), "ep_1"))
		time.Sleep(time.Hour)
		before := len(h.receivers.got(""))
		require.Positive(t, before-calls, "what waited")
		count, rest, err := h.hooks.Replay(t.Context(), "ep_1", s.DisabledAt)
		require.NoError(t, err)
		require.Equal(t, 1, count)
		require.True(t, rest.IsZero())
		synctest.Wait()
		require.Equal(t, []string{"missed"}, ids(h.receivers.got("")[before:]))
		require.Zero(t, h.status("ep_1").Pending)
		require.True(t, h.status("ep_1").Proven)
	})
}

func TestASuccessEndsFailing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		h := start(t, serve(t, func(w http.ResponseWriter, _ request) {
			if calls.Add(1)%3 != 0 {
				w.WriteHeader(500)
			}
		}), webhook.NewMemory())
		defer h.stop()
		h.endpoint("ep_1")
		for day := range 8 {
			h.deliver(fmt.Sprint("day_", day))
			time.Sleep(24 * time.Hour)
		}
		require.Empty(t, h.status("ep_1").Disabled)
		require.Zero(t, h.status("ep_1").Pending)
	})
}

func TestTheHostDisables(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, serve(t, nil), webhook.NewMemory())
		defer h.stop()
		events := disabledEvents(h)
		h.endpoint("ep_1")
		require.NoError(t, h.hooks.Disable(t.Context(), "ep_1"))
		h.deliver("e_1")
		synctest.Wait()
		require.Empty(t, h.receivers.got(""))
		require.Equal(t, webhook.DisabledByHost, h.status("ep_1").Disabled)
		require.Empty(t, events())
		page, err := h.hooks.List(t.Context(), webhook.Query{AllTenants: true, Disabled: new(true)})
		require.NoError(t, err)
		require.Len(t, page.Endpoints, 1)
		require.NoError(t, h.hooks.Delete(t.Context(), "ep_1"))
		require.ErrorIs(t, h.hooks.Disable(t.Context(), "ep_1"), notify.ErrNotFound)
	})
}

// failing is a store that fails while it is told to.
type failing struct {
	webhook.Store
	add, claim, finish atomic.Int64 // how often yet
	after              bool         // Add fails after it has stored
	panics             bool         // instead of failing
}

// err is how it fails.
func (f *failing) err() error {
	if f.panics {
		panic("canary")
	}
	return errDisk
}

var errDisk = errors.New("the disk is full")

func (f *failing) Add(ctx context.Context, m webhook.Message) (int, error) {
	if f.add.Add(-1) >= 0 {
		if f.after {
			_, _ = f.Store.Add(ctx, m)
		}
		return 0, f.err()
	}
	return f.Store.Add(ctx, m)
}

func (f *failing) Claim(ctx context.Context, c webhook.Claiming) ([]webhook.Claim, time.Time, error) {
	if f.claim.Add(-1) >= 0 {
		return nil, time.Time{}, f.err()
	}
	return f.Store.Claim(ctx, c)
}

func (f *failing) Finish(ctx context.Context, c webhook.Claim, o webhook.Outcome) error {
	if f.finish.Add(-1) >= 0 {
		return f.err()
	}
	return f.Store.Finish(ctx, c, o)
}

func TestAStoreThatFails(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]func(f *failing){
		"add":                func(f *failing) { f.add.Store(4) },
		"add, after all":     func(f *failing) { f.add.Store(4); f.after = true },
		"finish":             func(f *failing) { f.finish.Store(3) },
		"finish, too often":  func(f *failing) { f.finish.Store(8) },
		"claim":              func(f *failing) { f.claim.Store(3) },
		"add, by a panic":    func(f *failing) { f.add.Store(2); f.panics = true },
		"claim, by a panic":  func(f *failing) { f.claim.Store(3); f.panics = true },
		"finish, by a panic": func(f *failing) { f.finish.Store(1); f.panics = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &failing{Store: webhook.NewMemory()}
				h := start(t, serve(t, nil), f)
				defer h.stop()
				h.endpoint("ep_1")
				synctest.Wait() // nothing is about to look for work
				breaks(f)
				h.deliver("e_1")
				synctest.Wait()
				if name == "claim" {
					require.ErrorContains(t, h.n.Health(t.Context()).Err(), "claim what is due: the disk is full")
				}
				time.Sleep(10 * time.Minute)
				got := ids(h.receivers.got(""))
				require.NotContains(t, h.log.String(), "canary")
				if strings.HasPrefix(name, "finish, ") {
					require.Equal(t, []string{"e_1", "e_1"}, got, "its lease ended, and it was made again under its ID")
					require.Contains(t, h.log.String(), "it will be made again")
				} else {
					require.Equal(t, []string{"e_1"}, got)
				}
				require.Zero(t, h.status("ep_1").Pending)
				require.NoError(t, h.n.Health(t.Context()).Err())
			})
		})
	}
}

func TestTheDataThatAHostMakesMayFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		h := start(t, serve(t, nil), webhook.NewMemory(), func(c *webhook.Config) {
			c.Data = func(e notify.Event[any]) (any, error) {
				if e.ID == "never" {
					return make(chan int), nil
				}
				if calls++; calls < 3 {
					return nil, errors.New("not yet")
				}
				return "data", nil
			}
		})
		defer h.stop()
		h.endpoint("ep_1")
		h.deliver("e_1", "never")
		time.Sleep(time.Minute)
		require.Equal(t, []string{"e_1"}, ids(h.receivers.got("")))
		letters, err := h.n.DeadLetters(t.Context(), "webhooks", "", 0)
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Equal(t, 1, letters[0].Attempts)
		require.False(t, strings.Contains(letters[0].Error, "CANARY"))
	})
}
