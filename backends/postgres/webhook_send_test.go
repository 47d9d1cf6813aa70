package postgres_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/notifytest"
)

// receiver is a customer's, who fails now and then.
type receiver struct {
	mu    sync.Mutex
	calls int
	now   int
	most  int            // calls at once
	took  map[string]int // by webhook-id
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	r.mu.Lock()
	r.calls++
	r.now++
	r.most = max(r.most, r.now)
	fails := r.calls%5 == 2
	if !fails {
		r.took[in.Header.Get("webhook-id")]++
	}
	r.mu.Unlock()
	if fails {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now--
}

func (r *receiver) got() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.took)
}

// Two processes send webhooks of one database, and one of them ends meanwhile: each
// event arrives once. What one of them suppresses the other does not send.
func TestProcessesSendWebhooks(t *testing.T) {
	t.Parallel()
	named := schema(t)
	r := &receiver{took: map[string]int{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	port, err := strconv.ParseUint(at.Port(), 10, 16)
	require.NoError(t, err)

	type process struct {
		n     *notify.Notifier
		hooks *webhook.Sender
		list  *suppression.List
		ran   chan error
	}
	begin := func() *process {
		b := postgres.New(dsn, named, short)
		p := &process{ran: make(chan error, 1)}
		p.n, err = notify.New(notify.Config{Backend: b, AddressKey: addressKey})
		require.NoError(t, err)
		notify.Use(p.n, notifytest.NewProvider[notify.Email]("mail"))
		p.hooks = webhook.New(b.Webhooks(), func(c *webhook.Config) {
			c.Network.AllowHTTP, c.Network.Ports, c.Network.Allow = true, []uint16{uint16(port)}, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
			c.Schedule = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
			c.Poll = 10 * time.Millisecond
		})
		p.list = suppression.New(b.Suppression())
		p.n.Attach(p.hooks)
		p.n.Attach(p.list)
		go func() { p.ran <- p.n.Run(context.Background()) }()
		return p
	}
	end := func(p *process) {
		require.NoError(t, p.n.Close(context.Background()))
		require.NoError(t, <-p.ran)
	}
	one, two := begin(), begin()
	require.NoError(t, one.hooks.Put(t.Context(), webhook.Endpoint{
		ID: "ep_1", URL: server.URL, Secrets: []webhook.Secret{webhook.NewSecret()}, Types: []string{"notify.accepted.v1", "notify.settled.v1"}, Ordered: true,
	}))
	const notifications = 40
	var ids []string
	for i := range notifications {
		id, err := []*process{one, two}[i%2].n.Send(t.Context(), toAnna(""))
		require.NoError(t, err)
		ids = append(ids, id)
	}
	eventually(t, func() bool { return r.got() >= notifications/2 }, "webhooks are sent")
	end(one)
	eventually(t, func() bool { return r.got() == 2*notifications }, "all have arrived")
	eventually(t, func() bool {
		status, err := two.hooks.Get(t.Context(), "ep_1")
		return err == nil && status.Pending == 0
	}, "and nothing waits")
	r.mu.Lock()
	took, most := maps.Clone(r.took), r.most
	r.mu.Unlock()
	for id, times := range took {
		require.Equal(t, 1, times, id)
	}
	require.Equal(t, 1, most, "one at a time, in both together")
	for _, id := range ids {
		settled(t, two.n, id)
	}

	require.NoError(t, two.list.Suppress(t.Context(), suppression.Key{Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: "anna"}}))
	three := begin()
	id, err := three.n.Send(t.Context(), toAnna(""))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	status, err := three.n.Wait(ctx, id)
	require.NoError(t, err)
	require.Equal(t, notify.StateSuppressed, status.State)
	end(two)
	end(three)
}
