package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

const delivered = "notify.delivered.v1"

// request is what a receiver got.
type request struct {
	host   string
	id     string
	at     time.Time
	header http.Header
	body   []byte
}

func (r request) payload(t *testing.T) map[string]any {
	t.Helper()
	var p map[string]any
	require.NoError(t, json.Unmarshal(r.body, &p))
	return p
}

// receivers are the servers of all hosts, behind connections in memory.
type receivers struct {
	connections chan net.Conn
	closed      chan struct{}
	answer      func(w http.ResponseWriter, r request)

	mu  sync.Mutex
	all []request
}

func (r *receivers) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case r.connections <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *receivers) Accept() (net.Conn, error) {
	select {
	case c := <-r.connections:
		return c, nil
	case <-r.closed:
		return nil, errors.New("closed")
	}
}

func (r *receivers) Close() error   { return nil }
func (r *receivers) Addr() net.Addr { return &net.TCPAddr{} }

func (r *receivers) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	body, _ := io.ReadAll(in.Body)
	got := request{host: in.Host, id: in.Header.Get("webhook-id"), at: time.Now(), header: in.Header, body: body}
	r.mu.Lock()
	r.all = append(r.all, got)
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(w, got)
	}
}

// got are the requests so far, to a host or with "" to all.
func (r *receivers) got(host string) []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []request
	for _, one := range r.all {
		if host == "" || one.host == host {
			list = append(list, one)
		}
	}
	return list
}

func ids(requests []request) []string {
	var list []string
	for _, r := range requests {
		list = append(list, r.id)
	}
	return list
}

// hub is a Notifier with a sender in virtual time.
type hub struct {
	*testing.T
	n         *notify.Notifier
	hooks     *webhook.Sender
	receivers *receivers
	log       *safeBuffer
	ran       chan error
}

// serve starts receivers.
func serve(t *testing.T, answer func(w http.ResponseWriter, r request)) *receivers {
	r := &receivers{connections: make(chan net.Conn), closed: make(chan struct{}), answer: answer}
	server := &http.Server{Handler: r, ErrorLog: discard()}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(r) }()
	t.Cleanup(func() {
		close(r.closed)
		_ = server.Close()
		<-ended
	})
	return r
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

// start runs a Notifier with a sender; call it in a bubble.
func start(t *testing.T, r *receivers, store webhook.Store, options ...func(*webhook.Config)) *hub {
	t.Helper()
	h := &hub{T: t, receivers: r, log: &safeBuffer{}, ran: make(chan error, 1)}
	logger := slog.New(slog.NewTextHandler(h.log, nil))
	var err error
	h.n, err = notify.New(notify.Config{Logger: logger})
	require.NoError(t, err)
	options = append([]func(*webhook.Config){func(c *webhook.Config) {
		c.Logger, c.Network.AllowHTTP = logger, true
		c.Poll = time.Hour // everything is done in this process
	}}, options...)
	h.hooks = webhook.New(store, options...)
	h.hooks.DialBy(r.dial)
	h.hooks.Random(0.5)
	h.n.Attach(h.hooks)
	go func() { h.ran <- h.n.Run(context.Background()) }()
	require.NoError(t, h.n.Ready(t.Context()))
	return h
}

func (h *hub) stop() {
	h.Helper()
	require.NoError(h, h.n.Close(context.Background()))
	require.NoError(h, <-h.ran)
}

// endpoint puts an endpoint at a host of its name.
func (h *hub) endpoint(id string, options ...func(*webhook.Endpoint)) webhook.Endpoint {
	h.Helper()
	e := webhook.Endpoint{
		ID: id, Tenant: "shop", URL: "http://" + id + ".example.com/hooks", Secrets: []webhook.Secret{webhook.NewSecret()},
		Types: []string{delivered},
	}
	for _, option := range options {
		option(&e)
	}
	require.NoError(h, h.hooks.Put(h.Context(), e))
	return e
}

func host(id string) string { return id + ".example.com" }

// deliver raises events, under these IDs, about one notification.
func (h *hub) deliver(eventIDs ...string) {
	h.Helper()
	for _, id := range eventIDs {
		_, err := notify.Emit(h.Context(), h.n, notify.Delivered{MessageID: "mid_1"}, func(e *notify.Envelope) {
			e.ID, e.NotificationID, e.Tenant, e.RecipientID = id, "n_1", "shop", "u_42"
			e.Category, e.Labels = "shipping", map[string]string{"order": "A-1017", "note": "CANARY"}
		})
		require.NoError(h, err)
	}
}

func numbered(prefix string, count int) []string {
	var list []string
	for i := range count {
		list = append(list, fmt.Sprintf("%s_%03d", prefix, i))
	}
	return list
}

func (h *hub) status(id string) webhook.Status {
	h.Helper()
	s, err := h.hooks.Get(h.Context(), id)
	require.NoError(h, err)
	return s
}

// attempts are the ledger of an endpoint, the oldest first.
func (h *hub) attempts(id string) []webhook.Attempt {
	h.Helper()
	page, err := h.hooks.Attempts(h.Context(), webhook.AttemptQuery{EndpointID: id, Limit: 500})
	require.NoError(h, err)
	var list []webhook.Attempt
	for i := range page.Attempts {
		list = append(list, page.Attempts[len(page.Attempts)-1-i])
	}
	return list
}

type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}
