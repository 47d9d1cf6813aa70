package webhook_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestSendsWhatAnEndpointWants(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, serve(t, nil), webhook.NewMemory(), func(c *webhook.Config) { c.Labels = []string{"order", "missing"} })
		defer h.stop()
		rotated := webhook.NewSecret()
		e := h.endpoint("ep_1", func(e *webhook.Endpoint) {
			e.Secrets = append(e.Secrets, rotated)
			e.Types = append(e.Types, "notify.provider_up.v1") // which is about no notification
		})
		h.endpoint("bank", func(e *webhook.Endpoint) { e.Tenant = "bank" })
		h.endpoint("opened", func(e *webhook.Endpoint) { e.Types = []string{"notify.opened.v1"} })
		happened := time.Now()
		time.Sleep(time.Second)
		_, err := notify.Emit(t.Context(), h.n, notify.Delivered{
			Attempt: notify.Attempt{Leg: notify.Leg{Leg: 1, Channel: "email"}, Attempt: 2, Provider: "smtp"}, MessageID: "mid_1",
		}, func(e *notify.Envelope) {
			e.ID, e.NotificationID, e.Tenant, e.RecipientID, e.Time = "n_1/1.2/delivered", "n_1", "shop", "u_42", happened
			e.Category, e.Labels = "shipping", map[string]string{"order": "A-1017", "note": "CANARY"}
		})
		require.NoError(t, err)
		_, err = notify.Emit(t.Context(), h.n, notify.ProviderUp{Provider: "smtp"}, func(e *notify.Envelope) { e.Tenant = "shop" })
		require.NoError(t, err)
		synctest.Wait()

		got := h.receivers.got("")
		require.Len(t, got, 1)
		r := got[0]
		require.Equal(t, host("ep_1"), r.host)
		require.Equal(t, "n_1/1%2E2/delivered", r.id, "no dot, which would be ambiguous")
		require.Equal(t, "application/json", r.header.Get("Content-Type"))
		for _, s := range e.Secrets {
			require.NoError(t, webhook.Verify(r.header, r.body, s))
		}
		require.ErrorIs(t, webhook.Verify(r.header, r.body, webhook.NewSecret()), webhook.ErrUnverified)
		require.JSONEq(t, fmt.Sprintf(`{
			"type": "notify.delivered.v1", "timestamp": %q, "id": "n_1/1.2/delivered",
			"notification_id": "n_1", "recipient_id": "u_42", "category": "shipping", "labels": {"order": "A-1017"},
			"data": {"leg": 1, "channel": "email", "attempt": 2, "provider": "smtp", "message_id": "mid_1"}
		}`, happened.UTC().Format(time.RFC3339Nano)), string(r.body))
		ledger := h.attempts("ep_1")
		require.Len(t, ledger, 1)
		require.True(t, ledger[0].Succeeded())
		require.Equal(t, 200, ledger[0].Status)
		require.Equal(t, "n_1/1.2/delivered", ledger[0].MessageID)
		require.Zero(t, h.status("ep_1").Pending)
	})
}

func TestFollowsThePipeline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, nil)
		h := &hub{T: t}
		var err error
		h.n, err = notify.New(notify.Config{})
		require.NoError(t, err)
		h.hooks = webhook.New(webhook.NewMemory(), func(c *webhook.Config) { c.Network.AllowHTTP = true })
		h.hooks.DialBy(r.dial)
		h.n.Attach(h.hooks)
		notify.Use(h.n, notifytest.NewProvider[notify.Email]("mail"))
		go func() { _ = h.n.Run(t.Context()) }()
		require.NoError(t, h.n.Ready(t.Context()))
		h.endpoint("ep_1", func(e *webhook.Endpoint) {
			e.Types, e.Ordered = []string{"notify.accepted.v1", "notify.sent.v1", "notify.settled.v1"}, true
		})
		id, err := h.n.Send(t.Context(), notify.Notification{
			To:      notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{notify.EmailChannel: "ada@example.com"}},
			Content: notify.Content{Title: "Shipped", Body: "On its way."}, Route: notify.First(notify.EmailChannel), Tenant: "shop",
		})
		require.NoError(t, err)
		_, err = h.n.Wait(t.Context(), id)
		require.NoError(t, err)
		synctest.Wait()
		var types []any
		for _, one := range r.got("") {
			require.NotContains(t, string(one.body), "ada@")
			p := one.payload(t)
			require.Equal(t, id, p["notification_id"])
			types = append(types, p["type"])
		}
		require.Equal(t, []any{"notify.accepted.v1", "notify.sent.v1", "notify.settled.v1"}, types)
		require.NoError(t, h.n.Close(t.Context()))
	})
}

// answers are statuses for the requests of a host, in turn, the last for ever.
func answers(statuses ...int) func(w http.ResponseWriter, r request) {
	var calls atomic.Int64
	return func(w http.ResponseWriter, _ request) {
		w.WriteHeader(statuses[min(int(calls.Add(1)), len(statuses))-1])
	}
}

func TestTriesAgainByTheSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, serve(t, answers(500)), webhook.NewMemory())
		defer h.stop()
		e := h.endpoint("ep_1")
		began := time.Now()
		h.deliver("e_1")
		time.Sleep(100 * time.Hour)
		// Each pause of the specification's, and half of the fifth at most.
		var want []time.Duration
		at := time.Duration(0)
		for _, pause := range []time.Duration{
			0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
			10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
		} {
			at += pause + pause/10
			want = append(want, at)
		}
		var got []time.Duration
		for _, r := range h.receivers.got("") {
			require.Equal(t, "e_1", r.id)
			require.Equal(t, fmt.Sprint(r.at.Unix()), r.header.Get("webhook-timestamp"), "the attempt's, not the event's")
			got = append(got, r.at.Sub(began))
		}
		require.Equal(t, want, got)
		ledger := h.attempts("ep_1")
		require.Len(t, ledger, 10)
		for i, a := range ledger {
			require.Equal(t, i+1, a.Number)
			require.Equal(t, 500, a.Status)
			require.Equal(t, webhook.FailureStatus, a.Failure)
			require.Equal(t, i == 9, a.Next.IsZero(), "the last is given up")
			require.Equal(t, began.Add(want[i]), a.At)
		}
		s := h.status("ep_1")
		require.Zero(t, s.Pending)
		require.Equal(t, began, s.FailingSince)
		require.Empty(t, s.Disabled)
		for _, r := range h.receivers.got("") {
			require.ErrorContains(t, webhook.Verify(r.header, r.body, e.Secrets...), "ago", "it was signed long ago")
		}
	})
}

func TestEverythingBut2xxIsAFailure(t *testing.T) {
	t.Parallel()
	for status, failure := range map[int]webhook.Failure{
		200: "", 201: "", 204: "", 299: "",
		300: webhook.FailureRedirect, 301: webhook.FailureRedirect, 302: webhook.FailureRedirect, 307: webhook.FailureRedirect,
		308: webhook.FailureRedirect, 304: webhook.FailureRedirect,
		400: webhook.FailureStatus, 401: webhook.FailureStatus, 404: webhook.FailureStatus, 429: webhook.FailureStatus,
		500: webhook.FailureStatus, 502: webhook.FailureStatus, 504: webhook.FailureStatus, 599: webhook.FailureStatus,
	} {
		synctest.Test(t, func(t *testing.T) {
			h := start(t, serve(t, func(w http.ResponseWriter, r request) {
				w.Header().Set("Location", "http://elsewhere.example.com/")
				w.WriteHeader(status)
			}), webhook.NewMemory(), func(c *webhook.Config) { c.Schedule = nil })
			defer h.stop()
			h.endpoint("ep_1")
			h.deliver("e_1")
			synctest.Wait()
			a := h.attempts("ep_1")
			require.Len(t, a, 1)
			require.Equal(t, status, a[0].Status)
			require.Equal(t, failure, a[0].Failure)
			require.Len(t, h.receivers.got(""), 1, "nothing is followed")
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		value func(now time.Time) string
		want  time.Duration
	}{
		"seconds":            {func(time.Time) string { return "3600" }, time.Hour},
		"a date":             {func(now time.Time) string { return now.Add(2 * time.Hour).UTC().Format(http.TimeFormat) }, 2 * time.Hour},
		"less than the plan": {func(time.Time) string { return "1" }, 5500 * time.Millisecond},
		"a date in the past": {func(now time.Time) string { return now.Add(-time.Hour).UTC().Format(http.TimeFormat) }, 5500 * time.Millisecond},
		"too much":           {func(time.Time) string { return "31536000" }, 24 * time.Hour},
		"a date far away":    {func(time.Time) string { return "Fri, 31 Dec 9999 23:59:59 GMT" }, 24 * time.Hour},
		"nothing like it":    {func(time.Time) string { return "soon" }, 5500 * time.Millisecond},
		"negative":           {func(time.Time) string { return "-5" }, 5500 * time.Millisecond},
		"an overflow":        {func(time.Time) string { return "99999999999999999999" }, 5500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				first := true
				h := start(t, serve(t, func(w http.ResponseWriter, _ request) {
					if first {
						first = false
						w.Header().Set("Retry-After", tc.value(time.Now()))
						w.WriteHeader(http.StatusServiceUnavailable)
					}
				}), webhook.NewMemory())
				defer h.stop()
				h.endpoint("ep_1")
				began := time.Now()
				h.deliver("e_1")
				synctest.Wait()
				h.deliver("e_2") // which the endpoint's wish holds up too
				time.Sleep(30 * time.Hour)
				got := h.receivers.got("")
				require.Len(t, got, 3)
				require.Equal(t, tc.want, got[len(got)-1].at.Sub(began).Round(time.Millisecond))
				if tc.want > time.Minute {
					require.Equal(t, got[1].at, got[2].at)
				}
			})
		})
	}
	require.Zero(t, webhook.ParseRetryAfter("", time.Now()))
}

func TestAnAnswerThatDoesNotComeIsATimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		h := start(t, serve(t, func(w http.ResponseWriter, r request) {
			if r.host == host("slow_body") {
				w.Header().Set("Content-Length", "5")
				w.WriteHeader(200)
				_ = http.NewResponseController(w).Flush()
			}
			<-hang
		}), webhook.NewMemory(), func(c *webhook.Config) { c.Schedule = nil })
		defer h.stop()
		defer close(hang)
		h.endpoint("ep_1")
		h.endpoint("slow_body")
		h.deliver("e_1")
		time.Sleep(19 * time.Second)
		require.Empty(t, h.attempts("ep_1"))
		time.Sleep(time.Second)
		synctest.Wait()
		a := h.attempts("ep_1")
		require.Len(t, a, 1)
		require.Equal(t, webhook.FailureTimeout, a[0].Failure)
		require.Equal(t, 20*time.Second, a[0].Took)
		body := h.attempts("slow_body")
		require.Len(t, body, 1)
		require.True(t, body[0].Succeeded(), "the status came")
		require.Zero(t, body[0].Took, "the rest is not waited for")
		require.False(t, h.status("slow_body").Slow)
	})
}

func TestAnOrderedEndpointKeepsTheOrder(t *testing.T) {
	t.Parallel()
	for _, ordered := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			failures := map[string]int{"e_003": 3, "e_005": 1}
			h := start(t, serve(t, func(w http.ResponseWriter, r request) {
				if failures[r.id]--; failures[r.id] >= 0 {
					w.WriteHeader(500)
				}
			}), webhook.NewMemory())
			defer h.stop()
			h.endpoint("ep_1", func(e *webhook.Endpoint) { e.Ordered, e.Concurrency = ordered, 1 })
			h.deliver(numbered("e", 8)...)
			time.Sleep(24 * time.Hour)
			var taken []string
			for _, a := range h.attempts("ep_1") {
				if a.Succeeded() {
					taken = append(taken, a.MessageID)
				}
			}
			require.Len(t, taken, 8)
			require.Equal(t, ordered, slices.IsSorted(taken))
		})
	}
}

func TestCallsAnEndpointSoOftenAtOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		concurrency, want int
		ordered, fails    bool
	}{{0, 4, false, false}, {9, 9, false, false}, {9, 1, true, false}, {9, 1, false, true}} {
		synctest.Test(t, func(t *testing.T) {
			var now, most atomic.Int64
			h := start(t, serve(t, func(w http.ResponseWriter, r request) {
				if r.id == "first" {
					return
				}
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(time.Second)
				now.Add(-1)
				if tc.fails {
					w.WriteHeader(500)
				}
			}), webhook.NewMemory(), func(c *webhook.Config) { c.Schedule = nil })
			defer h.stop()
			h.endpoint("ep_1", func(e *webhook.Endpoint) { e.Concurrency, e.Ordered = tc.concurrency, tc.ordered })
			if !tc.fails { // otherwise it never proves itself
				h.deliver("first")
				synctest.Wait()
			}
			h.deliver(numbered("e", 30)...)
			time.Sleep(time.Minute)
			require.EqualValues(t, tc.want, most.Load(), "%+v", tc)
			require.Zero(t, h.status("ep_1").Pending)
		})
	}
}

func TestAPayloadHasACap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, serve(t, nil), webhook.NewMemory(), func(c *webhook.Config) {
			c.MaxBytes = 16 << 10
			c.Data = func(e notify.Event[any]) (any, error) {
				if e.ID == "large" {
					return strings.Repeat("x", 16<<10), nil
				}
				return map[string]string{"state": "arrived"}, nil
			}
		})
		defer h.stop()
		h.endpoint("ep_1")
		h.deliver("large", "small")
		synctest.Wait()
		got := h.receivers.got("")
		require.Len(t, got, 2)
		require.Less(t, len(got[0].body), 500)
		require.Equal(t, map[string]any{}, got[0].payload(t)["data"])
		require.Equal(t, true, got[0].payload(t)["truncated"])
		require.Equal(t, map[string]any{"state": "arrived"}, got[1].payload(t)["data"])
		require.NotContains(t, got[1].payload(t), "truncated")
	})
}
