package e2e_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// The library of Standard Webhooks is the judge of what is signed.

func theirs(t *testing.T, s webhook.Secret) *standardwebhooks.Webhook {
	t.Helper()
	library, err := standardwebhooks.NewWebhook(s.Reveal())
	require.NoError(t, err)
	return library
}

func signed(id string, at time.Time, signature string) http.Header {
	h := http.Header{}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, fmt.Sprint(at.Unix()))
	h.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return h
}

func TestStandardWebhooksVerifiesOurSignatures(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, body := range []string{`{}`, "", `{"text":"ä.ö\n."}`, string(make([]byte, 100_000))} {
		for _, id := range []string{"e_1", "019a-1/1.2/sent", "n_1/%/ä", "with space"} {
			one, other := webhook.NewSecret(), webhook.NewSecret()
			h := signed(webhook.HeaderValue(id), now, webhook.Sign(id, now, []byte(body), one, other))
			require.NoError(t, theirs(t, one).Verify([]byte(body), h), "while a secret is changed")
			require.NoError(t, theirs(t, other).Verify([]byte(body), h))
			require.NoError(t, webhook.Verify(h, []byte(body), other))
			require.Error(t, theirs(t, webhook.NewSecret()).Verify([]byte(body), h))
			require.Error(t, theirs(t, one).Verify([]byte(body+" "), h))
		}
	}
}

func TestWeVerifyWhatStandardWebhooksSigns(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for i := range 50 {
		s, body := webhook.NewSecret(), []byte(fmt.Sprintf(`{"number":%d}`, i))
		signature, err := theirs(t, s).Sign("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", now, body)
		require.NoError(t, err)
		h := signed("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", now, signature)
		require.NoError(t, webhook.Verify(h, body, webhook.NewSecret(), s))
		require.Error(t, webhook.Verify(h, body, webhook.NewSecret()))
		require.Error(t, webhook.Verify(h, append(body, ' '), s))
		parsed, err := webhook.ParseSecret(s.Reveal())
		require.NoError(t, err)
		require.Equal(t, s, parsed)
	}
	// Both agree on when.
	for offset, ok := range map[time.Duration]bool{-299 * time.Second: true, -302 * time.Second: false, 299 * time.Second: true, 302 * time.Second: false} {
		s, at := webhook.NewSecret(), now.Add(offset)
		signature, err := theirs(t, s).Sign("msg_1", at, []byte("{}"))
		require.NoError(t, err)
		h := signed("msg_1", at, signature)
		require.Equal(t, ok, theirs(t, s).Verify([]byte("{}"), h) == nil)
		require.Equal(t, ok, webhook.Verify(h, []byte("{}"), s) == nil)
	}
	for _, short := range []int{0, 23} { // they take any size
		_, err := webhook.ParseSecret("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, short)))
		require.Error(t, err)
	}
}

// What a running Notifier posts.
func TestStandardWebhooksVerifiesWhatIsSent(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	verified := make(chan error, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = theirs(t, secret).Verify(body, r.Header)
		}
		verified <- err
	}))
	defer receiver.Close()
	address := netip.MustParseAddrPort(receiver.Listener.Addr().String())
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	hooks := webhook.New(webhook.NewMemory(), func(c *webhook.Config) {
		c.Network = webhook.Network{AllowHTTP: true, Ports: []uint16{address.Port()}, Allow: []netip.Prefix{netip.PrefixFrom(address.Addr(), 32)}}
	})
	n.Attach(hooks)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(t.Context()) }()
	require.NoError(t, n.Ready(t.Context()))
	require.NoError(t, hooks.Put(t.Context(), webhook.Endpoint{
		ID: "ep_1", URL: receiver.URL, Secrets: []webhook.Secret{secret, webhook.NewSecret()}, Types: []string{"notify.delivered.v1"},
	}))
	_, err = notify.Emit(t.Context(), n, notify.Delivered{}, func(e *notify.Envelope) { e.ID, e.NotificationID = "n_1/1.1/delivered", "n_1" })
	require.NoError(t, err)
	require.NoError(t, <-verified)
	require.NoError(t, n.Close(t.Context()))
	require.NoError(t, <-ended)
}

// unsure is a store whose Add fails every other time, after it has stored.
type unsure struct {
	webhook.Store
	calls atomic.Int64
}

func (u *unsure) Add(ctx context.Context, m webhook.Message) (int, error) {
	count, err := u.Store.Add(ctx, m)
	if u.calls.Add(1)%2 == 1 {
		return 0, errors.New("the connection was lost")
	}
	return count, err
}

// On SQLite, with a store that loses its answers, and two restarts: each event is
// posted once, and those of a notification in their order.
func TestWebhooksOnSQLite(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("webhook-id"))
	}))
	defer receiver.Close()
	address := netip.MustParseAddrPort(receiver.Listener.Addr().String())
	file, store := filepath.Join(t.TempDir(), "notify.db"), &unsure{Store: webhook.NewMemory()}
	var want []string
	for round := range 3 {
		n, err := notify.New(notify.Config{Backend: sqlite.Open(file)})
		require.NoError(t, err)
		hooks := webhook.New(store, func(c *webhook.Config) {
			c.Network = webhook.Network{AllowHTTP: true, Ports: []uint16{address.Port()}, Allow: []netip.Prefix{netip.PrefixFrom(address.Addr(), 32)}}
			c.Retry.Backoff = func(int) time.Duration { return time.Millisecond }
		})
		n.Attach(hooks)
		ended := make(chan error, 1)
		go func() { ended <- n.Run(context.Background()) }()
		require.NoError(t, n.Ready(t.Context()))
		require.NoError(t, hooks.Put(t.Context(), webhook.Endpoint{
			ID: "ep_1", URL: receiver.URL, Secrets: []webhook.Secret{webhook.NewSecret()}, Types: []string{"notify.delivered.v1"}, Ordered: true,
		}))
		for i := range 50 {
			id := fmt.Sprintf("e_%d_%02d", round, i)
			_, err := notify.Emit(t.Context(), n, notify.Delivered{}, func(e *notify.Envelope) { e.ID, e.NotificationID = id, "n_1" })
			require.NoError(t, err)
			want = append(want, id)
		}
		if round == 2 {
			require.Eventually(t, func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(got) >= len(want)
			}, time.Minute, 10*time.Millisecond)
		}
		require.NoError(t, n.Close(context.Background()), "what is not handled, or not sent, is in the next round")
		require.NoError(t, <-ended)
	}
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, want, got)
}
