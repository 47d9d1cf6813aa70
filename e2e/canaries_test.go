package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/cache"
	"github.com/seed-6c01d079/notify/handlers/forward"
	"github.com/seed-6c01d079/notify/handlers/logs"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinehttp"
	"github.com/seed-6c01d079/notify/handlers/trigger"
	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/notifytest"
)

// sinks are all that somebody other than the recipient can read, by name.
type sinks struct {
	mu   sync.Mutex
	text map[string]*strings.Builder
}

func (s *sinks) add(name, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text[name] == nil {
		s.text[name] = &strings.Builder{}
	}
	fmt.Fprintf(s.text[name], format+"\n", args...)
}

type sink struct {
	*sinks
	name string
}

func (s sink) Write(p []byte) (int, error) {
	s.add(s.name, "%s", p)
	return len(p), nil
}

// Publish is the other team's topic.
func (s sink) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		s.add(s.name, "%s %s %v %s", topic, m.UUID, m.Metadata, m.Payload)
	}
	return nil
}

func (s sink) Close() error { return nil }

// canaried is a notification of which nothing but IDs may be seen.
func canaried(channel notify.Channel) notify.Notification {
	return notify.Notification{
		Tenant: "shop", Route: notify.First(channel),
		To: notify.Recipient{ID: "u_1", Name: "canary-name", Addresses: map[notify.Channel]string{
			notify.EmailChannel: "canary-address@example.com", notify.PushChannel: "canary-token", notify.ChatChannel: "canary-address",
		}},
		Content: notify.Content{
			Title: "canary-title", Body: "canary-body", URL: "https://example.com/?canary-link", Data: map[string]string{"k": "canary-data"},
			Attachments: []notify.Attachment{{Name: "canary-file", Data: []byte("canary-body")}},
		},
		Data: map[string]any{"k": "canary-data"},
	}
}

// TestNoHandlerLeaks plants canaries in contents, addresses, the endpoint's URL and
// secret, panics and what providers say, has everything fail that can, with every
// handler attached, and searches what anybody can read of it.
func TestNoHandlerLeaks(t *testing.T) {
	t.Parallel()
	s := &sinks{text: map[string]*strings.Builder{}}
	secret, file := webhook.NewSecret(), filepath.Join(t.TempDir(), "notify.db")
	canaries := []string{
		"canary", strings.TrimPrefix(secret.Reveal(), "whsec_"), "Y2FuYXJ5", // in base64
	}
	plantAndFail(t, s, secret, file)

	// What travelled, as another process reads it from the file.
	reader := sqlite.Open(file)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, reader.Fix(ctx, "notify.events", "outsider", backend.FromOldest()))
	consumed := make(chan error, 1)
	go func() {
		consumed <- reader.Consume(ctx, backend.Consumption{Topic: "notify.events", Group: "outsider", Handle: func(_ context.Context, b *backend.Batch) (n int, err error) {
			for ; b.Next(); n++ {
				s.add("wire", "%s %v %s", b.Message().UUID, b.Message().Metadata, b.Message().Payload)
			}
			return n, nil
		}})
	}()
	require.NoError(t, reader.CatchUp(ctx, "notify.events", "outsider"))
	cancel()
	require.NoError(t, <-consumed)
	require.NoError(t, reader.Close())

	for _, name := range []string{
		"log", "logs", "forward", "requests", "ledger", "endpoints", "wire", "letters", "pages", "timeline", "http", "stream", "state", "explain", "suppression", "errors",
	} {
		require.NotNil(t, s.text[name], name)
		text := s.text[name].String()
		require.Greater(t, len(text), 20, name)
		for _, canary := range append(canaries, "what the provider said") {
			if canary == "what the provider said" && name == "log" {
				continue // SendError.Err is for the log, and must hold nothing secret
			}
			if i := strings.Index(text, canary); i >= 0 {
				t.Errorf("%s leaked into %s: …%s…", canary, name, text[max(0, i-200):min(len(text), i+100)])
			}
		}
	}
	require.Contains(t, s.text["wire"].String(), "notify.unknown.v1", "the scenarios ran")
	require.Contains(t, s.text["log"].String(), "what the provider said")
}

func plantAndFail(t *testing.T, s *sinks, secret webhook.Secret, file string) {
	answers := 0
	var mu sync.Mutex
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.add("requests", "%s %s", r.Header.Get(webhook.HeaderID), body)
		mu.Lock()
		defer mu.Unlock()
		if answers++; answers%2 == 0 {
			http.Error(w, "canary-answer", http.StatusInternalServerError)
		}
	}))
	defer receiver.Close()
	address := netip.MustParseAddrPort(receiver.Listener.Addr().String())

	logger := slog.New(slog.NewTextHandler(sink{s, "log"}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	file1 := sqlite.Open(file)
	n, err := notify.New(notify.Config{Backend: file1, Logger: logger})
	require.NoError(t, err)
	mail := notifytest.NewProvider[notify.Email]("email")
	mail.Next(notifytest.PlainError("what the provider said"), notifytest.Panic("canary-panic"),
		notifytest.Fail(&notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassAddress, Code: "550 5.1.1", Err: errors.New("what the provider said")}))
	push := notifytest.NewProvider[notify.Push]("push")
	push.Always(notifytest.PlainError("what the provider said"))
	notify.Use(n, mail)
	notify.Use(n, push)
	notify.Use(n, notifytest.NewProvider[notify.Chat]("chat"))
	notify.Render(n, func(context.Context, notify.RenderRequest) (notify.Chat, error) { panic("canary-panic") })
	notify.On(n, "panics", func(context.Context, notify.Event[notify.Sending]) error { panic("canary-panic") },
		func(o *notify.Observer) { o.Retry.Attempts = 1 })

	store, list := file1.Timeline(n), suppression.NewMemory()
	hooks := webhook.New(webhook.NewMemory(), func(c *webhook.Config) {
		c.Network = webhook.Network{AllowHTTP: true, Ports: []uint16{address.Port()}, Allow: []netip.Prefix{netip.PrefixFrom(address.Addr(), 32)}}
		c.Schedule, c.Logger = []time.Duration{time.Millisecond, time.Millisecond}, logger
	})
	n.Attach(logs.New(slog.New(slog.NewJSONHandler(sink{s, "logs"}, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	n.Attach(timeline.New(store))
	n.Attach(forward.New(sink{s, "forward"}, "theirs", func(c *forward.Config) {
		c.Events = []any{notify.Sent{}, notify.Unknown{}, notify.AddressInvalid{}, notify.Failed{}, notify.Settled{}}
	}))
	n.Attach(suppression.New(list))
	n.Attach(cache.New(cache.Func(func(_ context.Context, keys []string) error { panic("canary-panic") }), func(c *cache.Config) {
		c.Rules = []cache.Rule{cache.Keys(func(e notify.Event[notify.Settled]) []string { return []string{"canary:" + e.RecipientID} })}
		c.Retry.Attempts = 1
	}))
	n.Attach(trigger.Notification("again", func(_ context.Context, e notify.Event[notify.Unknown]) (notify.Notification, bool, error) {
		nt := canaried(notify.PushChannel)
		nt.To.Addresses[notify.EmailChannel] = "canary-address\r\n" // refused: a dead letter
		return nt, true, nil
	}))
	n.Attach(hooks)
	ran := make(chan error, 1)
	go func() { ran <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	endpoint := webhook.Endpoint{
		ID: "ep_1", Tenant: "shop", URL: receiver.URL + "/canary-path?token=canary-query", Secrets: []webhook.Secret{secret},
		Types: []string{"notify.sent.v1", "notify.unknown.v1", "notify.settled.v1", "notify.address_invalid.v1"},
	}
	require.NoError(t, hooks.Put(t.Context(), endpoint))
	bad := endpoint
	bad.ID, bad.URL = "ep_2", "https://canary-user:canary-password@example.com/canary"
	s.add("errors", "%v", hooks.Put(t.Context(), bad))
	_, err = webhook.ParseSecret("whsec_canary-secret")
	s.add("errors", "%v", err)

	var all []string
	for _, channel := range []notify.Channel{notify.EmailChannel, notify.EmailChannel, notify.EmailChannel, notify.PushChannel, notify.ChatChannel} {
		id, err := n.Send(t.Context(), canaried(channel))
		require.NoError(t, err)
		status, err := n.Wait(t.Context(), id)
		require.NoError(t, err)
		s.add("state", "%+v", status)
		all = append(all, id)
	}
	for _, id := range all {
		require.NoError(t, n.Handled(t.Context(), id, "timeline", "logs", "forward", "suppression", "webhooks"))
	}
	letters := func(observer string) bool {
		letters, err := n.DeadLetters(t.Context(), observer, "", 100)
		return err == nil && len(letters) > 0
	}
	for _, observer := range []string{"panics", "cache", "again"} {
		require.Eventually(t, func() bool { return letters(observer) }, time.Minute, 5*time.Millisecond, observer)
	}
	require.Eventually(t, func() bool { // every event is delivered, or given up
		status, err := hooks.Get(t.Context(), "ep_1")
		return err == nil && status.Pending == 0
	}, time.Minute, 5*time.Millisecond)
	look(t, s, n, hooks, store, list, all)
	require.Contains(t, fmt.Sprintf("%+v", mail.Deliveries()), "canary-body", "the canaries went all the way")
	require.NoError(t, n.Close(context.Background()))
	require.NoError(t, <-ran)
}

// look reads all that a host, or who it lets in, can read.
func look(t *testing.T, s *sinks, n *notify.Notifier, hooks *webhook.Sender, store timeline.Store, list suppression.Store, all []string) {
	letters, err := n.DeadLetters(t.Context(), "", "", 1000)
	require.NoError(t, err)
	s.add("letters", "%+v", letters)
	for name, page := range n.Topology().Pages() {
		s.add("pages", "%s %s", name, page)
	}
	s.add("state", "%+v %+v %v", n.Stats(t.Context()), n.Health(t.Context()), n.Guarantees())
	explained, err := n.Explain(t.Context(), canaried(notify.EmailChannel))
	require.NoError(t, err)
	for i := range explained.Legs {
		explained.Legs[i].Message = nil // which is what would be sent, for the host
	}
	s.add("explain", "%+v", explained)

	attempts, err := hooks.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "ep_1"})
	require.NoError(t, err)
	s.add("ledger", "%+v", attempts)
	endpoints, err := hooks.List(t.Context(), webhook.Query{AllTenants: true})
	require.NoError(t, err)
	s.add("endpoints", "%+v, which is all that is printed", endpoints)
	page, err := store.List(t.Context(), timeline.Query{AllTenants: true})
	require.NoError(t, err)
	s.add("timeline", "%+v", page)
	suppressed, err := list.List(t.Context(), suppression.Query{AllTenants: true})
	require.NoError(t, err)
	s.add("suppression", "%+v", suppressed)

	site := timelinehttp.New(n, store, func(c *timelinehttp.Config) { c.AllTenants = true })
	get := func(name, path string) {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusOK, w.Code, path)
		s.add(name, "%v %s", w.Header(), w.Body)
	}
	get("http", "/notifications")
	for _, id := range all {
		get("http", "/notifications/"+id)
		get("stream", "/notifications/"+id+"/events")
	}
}
