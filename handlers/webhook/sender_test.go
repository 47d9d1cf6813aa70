package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

func TestAConfigIsChecked(t *testing.T) {
	t.Parallel()
	for field, option := range map[string]func(*webhook.Config){
		"webhook.Config.Data":          func(c *webhook.Config) { c.Data = nil },
		"webhook.Config.MaxBytes":      func(c *webhook.Config) { c.MaxBytes = 1000 },
		"webhook.Config.Schedule[1]":   func(c *webhook.Config) { c.Schedule = []time.Duration{1, 0} },
		"webhook.Config.Schedule":      func(c *webhook.Config) { c.Schedule = bytesOf(101) },
		"webhook.Config.MaxRetryAfter": func(c *webhook.Config) { c.MaxRetryAfter = -1 },
		"webhook.Config.CallTimeout":   func(c *webhook.Config) { c.CallTimeout = time.Hour },
		"webhook.Config.SlowAfter":     func(c *webhook.Config) { c.SlowAfter = 0 },
		"webhook.Config.Poll":          func(c *webhook.Config) { c.Poll = 0 },
		"webhook.Config.DisableAfter":  func(c *webhook.Config) { c.DisableAfter = 0 },
		"webhook.Config.Calls":         func(c *webhook.Config) { c.Calls = 0 },
		"webhook.Config.Network.Ports": func(c *webhook.Config) { c.Network.Ports = []uint16{443, 0} },
	} {
		n, err := notify.New(notify.Config{})
		require.NoError(t, err)
		n.Attach(webhook.New(webhook.NewMemory(), option))
		found := notify.FieldErrors(n.Run(t.Context()))
		require.Len(t, found, 1, field)
		require.Equal(t, field, found[0].Field)
		require.NoError(t, n.Close(t.Context()))
	}
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	n.Attach(webhook.New(nil))
	require.ErrorContains(t, n.Run(t.Context()), "webhook.NewMemory()")
	require.NoError(t, n.Close(t.Context()))
}

func bytesOf(count int) []time.Duration {
	list := make([]time.Duration, count)
	for i := range list {
		list[i] = time.Second
	}
	return list
}

func TestASenderIsForOneNotifier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, serve(t, nil), webhook.NewMemory())
		defer h.stop()
		h.n.Attach(h.hooks)
		require.ErrorContains(t, h.n.Ready(t.Context()), "is attached already")
	})
	synctest.Test(t, func(t *testing.T) {
		h := start(t, serve(t, nil), webhook.NewMemory())
		defer h.stop()
		other := webhook.New(webhook.NewMemory(), func(c *webhook.Config) { c.Name = "other" })
		h.n.Attach(other)
		require.NoError(t, h.n.Ready(t.Context()), "two have two names")
		for _, e := range h.n.Topology().Events {
			if e.Type == "webhook.endpoint_disabled.v1" {
				require.Equal(t, []string{"other", "webhooks"}, e.EmittedBy)
				return
			}
		}
		t.Error("the event is not known")
	})
}

func TestEndpointsAreChecked(t *testing.T) {
	t.Parallel()
	hooks := webhook.New(webhook.NewMemory())
	secret := webhook.NewSecret()
	good := webhook.Endpoint{ID: "ep_1", URL: "https://example.com/", Secrets: []webhook.Secret{secret}, Types: []string{delivered}}
	require.NoError(t, hooks.Put(t.Context(), good))
	got, err := hooks.Get(t.Context(), "ep_1")
	require.NoError(t, err)
	require.Equal(t, 4, got.Concurrency)
	for field, change := range map[string]func(e *webhook.Endpoint){
		"Endpoint.ID":         func(e *webhook.Endpoint) { e.ID = "a b" },
		"Endpoint.Tenant":     func(e *webhook.Endpoint) { e.Tenant = strings.Repeat("x", 129) },
		"Endpoint.URL":        func(e *webhook.Endpoint) { e.URL = "https://canary@example.com" },
		"Endpoint.Secrets":    func(e *webhook.Endpoint) { e.Secrets = nil },
		"Endpoint.Secrets[0]": func(e *webhook.Endpoint) { e.Secrets = []webhook.Secret{{}} },
		"Endpoint.Secrets[1]": func(e *webhook.Endpoint) { e.Secrets = []webhook.Secret{secret, secret} },
		"Endpoint.Types":      func(e *webhook.Endpoint) { e.Types = nil },
		"Endpoint.Types[0]":   func(e *webhook.Endpoint) { e.Types = []string{""} },
		"Endpoint.Types[1]":   func(e *webhook.Endpoint) { e.Types = []string{delivered, delivered} },
		"Endpoint.Types[2]":   func(e *webhook.Endpoint) { e.Types = []string{delivered, "shop.paid", "Sent"} },
		"Endpoint.Types[3]": func(e *webhook.Endpoint) {
			e.Types = []string{delivered, "shop.paid.v1", "notify.sent.v1", "notify.sent"}
		},
		"Endpoint.Concurrency": func(e *webhook.Endpoint) { e.Concurrency = 65 },
	} {
		e := good
		change(&e)
		err := hooks.Put(t.Context(), e)
		found := notify.FieldErrors(err)
		require.Len(t, found, 1, field)
		require.Equal(t, field, found[0].Field)
		require.NotContains(t, err.Error(), "canary")
	}
	require.Len(t, notify.FieldErrors(hooks.Put(t.Context(), webhook.Endpoint{})), 4, "all at once")
}

// A type that there is not would never come, and nobody would know why.
func TestTypesOfEndpointsAreKnown(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close(context.Background())) })
	hooks := webhook.New(webhook.NewMemory())
	e := webhook.Endpoint{ID: "ep_1", URL: "https://example.com/", Secrets: []webhook.Secret{webhook.NewSecret()}, Types: []string{"notify.sent.v2"}}
	require.NoError(t, hooks.Put(t.Context(), e), "nobody knows yet")
	n.Attach(hooks)
	err = hooks.Put(t.Context(), e)
	require.Len(t, notify.FieldErrors(err), 1)
	require.Equal(t, "Endpoint.Types[0]", notify.FieldErrors(err)[0].Field)
	e.Types = []string{"notify.sent.v1", "webhook.endpoint_disabled.v1", "theirs.paid.v1"}
	require.NoError(t, hooks.Put(t.Context(), e))
}

// TestNothingSecretLeaks plants canaries in URLs and answers, has what can fail
// do so, and searches every sink.
func TestNothingSecretLeaks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &safeBuffer{}
		previous := map[string]func(w http.ResponseWriter){
			"gone": func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) },
			"moved": func(w http.ResponseWriter) {
				w.Header().Set("Location", "https://canary-location/")
				w.WriteHeader(301)
			},
			"broken": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
			"bad":    func(w http.ResponseWriter) { w.WriteHeader(500); fmt.Fprint(w, "canary-answer") },
			"fine":   func(w http.ResponseWriter) { fmt.Fprint(w, "canary-answer") },
		}
		store := &failing{Store: webhook.NewMemory()}
		h := start(t, serve(t, func(w http.ResponseWriter, r request) {
			name, _, _ := strings.Cut(r.host, ".")
			w.Header().Set("X-Canary", "canary-answer")
			previous[name](w)
		}), store, func(c *webhook.Config) { c.DisableAfter = time.Hour })
		notify.On(h.n, "sink", func(_ context.Context, e notify.Event[any]) error {
			m, err := h.n.Encode(e)
			if err == nil {
				fmt.Fprintln(sink, m.Metadata, string(m.Payload))
			}
			return err
		})
		var secrets []webhook.Secret
		for name := range previous {
			e := h.endpoint(name, func(e *webhook.Endpoint) { e.URL += "/canary-path?token=canary-query" })
			secrets = append(secrets, e.Secrets...)
		}
		_, err := h.hooks.Get(t.Context(), "canary")
		require.Error(t, err)
		for _, url := range []string{"http://canary-user:canary-password@example.com/", "http://canary host/", "http://127.0.0.1/canary-path", "http://[canary"} {
			err := h.hooks.Put(t.Context(), webhook.Endpoint{ID: "ep", URL: url, Secrets: secrets[:1], Types: []string{delivered}})
			require.Error(t, err)
			fmt.Fprintln(sink, err)
		}
		store.claim.Store(1)
		store.finish.Store(60)
		h.deliver("e_1", "e_2")
		time.Sleep(3 * time.Hour)
		h.deliver("e_3")
		time.Sleep(3 * time.Hour)
		require.NotEmpty(t, h.status("gone").Disabled)
		require.NotEmpty(t, h.status("bad").Disabled)
		for name := range previous {
			page, err := h.hooks.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: name})
			require.NoError(t, err)
			require.NotEmpty(t, page.Attempts)
			ledger, err := json.Marshal(page)
			require.NoError(t, err)
			status := h.status(name)
			fmt.Fprintf(sink, "%s %v %+v %#v", ledger, status, status, status)
			slog.New(slog.NewJSONHandler(sink, nil)).Info("status", "status", status, "endpoint", status.Endpoint, "secrets", status.Secrets)
		}
		letters, err := h.n.DeadLetters(t.Context(), "", "", 0)
		require.NoError(t, err)
		fmt.Fprintln(sink, letters, h.n.Health(t.Context()), h.n.Stats(t.Context()))
		h.stop()
		text := sink.String() + h.log.String()
		require.Contains(t, text, "webhook.endpoint_disabled.v1", "it happened")
		require.Contains(t, text, "it will be made again")
		for _, canary := range []string{
			"canary-path", "canary-query", "canary-user", "canary-password", "canary-location", "canary-answer", "canary host", "[canary", "example.com",
		} {
			if i := strings.Index(text, canary); i >= 0 {
				t.Errorf("%s leaked: …%s…", canary, text[max(0, i-200):min(len(text), i+100)])
			}
		}
		for _, s := range secrets {
			require.NotContains(t, text, strings.TrimPrefix(s.Reveal(), "whsec_"))
		}
		require.False(t, bytes.Contains([]byte(text), []byte("v1,")), "a signature")
	})
}
