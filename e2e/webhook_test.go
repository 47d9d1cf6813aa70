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
	"slices"
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

// unsure is a store whose Add fails every other time, after it has stored, and
// whose leases are short.
type unsure struct {
	webhook.Store
	calls *atomic.Int64
}

func (u *unsure) Add(ctx context.Context, m webhook.Message) (int, error) {
	count, err := u.Store.Add(ctx, m)
	if u.calls.Add(1)%2 == 1 {
		return 0, errors.New("the connection was lost")
	}
	return count, err
}

func (u *unsure) Claim(ctx context.Context, c webhook.Claiming) ([]webhook.Claim, time.Time, error) {
	c.Until = c.Now.Add(5 * time.Second) // and longer than a machine is busy with something else
	return u.Store.Claim(ctx, c)
}

// receivers answer, each the first so many of a round, and no more.
type receivers struct {
	mu       sync.Mutex
	most     int
	answered map[string]int
	got      map[string][]string
	hangs    chan string
}

func (r *receivers) ServeHTTP(_ http.ResponseWriter, q *http.Request) {
	_, _ = io.Copy(io.Discard, q.Body)
	r.mu.Lock()
	hang := r.answered[q.URL.Path] >= r.most
	if !hang {
		r.answered[q.URL.Path]++
		r.got[q.URL.Path] = append(r.got[q.URL.Path], q.Header.Get("webhook-id"))
	}
	hangs := r.hangs
	r.mu.Unlock()
	if hang {
		select {
		case hangs <- q.URL.Path:
		default:
		}
		<-q.Context().Done()
	}
}

func (r *receivers) begin(most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.most, r.answered, r.hangs = most, map[string]int{}, make(chan string, 100)
}

// All on SQLite, with a store that loses its answers, and two stops in the midst of
// calls that then never ended: everything is posted, for an ordered endpoint once
// and in order. What nobody knows the end of is posted again when its lease is over.
func TestWebhooksOnSQLite(t *testing.T) {
	t.Parallel()
	r := &receivers{got: map[string][]string{}}
	server := httptest.NewServer(r)
	defer server.Close()
	address := netip.MustParseAddrPort(server.Listener.Addr().String())
	file, calls := filepath.Join(t.TempDir(), "notify.db"), new(atomic.Int64)
	secret := webhook.NewSecret()
	var want []string
	for round := range 3 {
		r.begin([]int{20, 20, 1000}[round])
		back := sqlite.Open(file)
		n, err := notify.New(notify.Config{Backend: back})
		require.NoError(t, err)
		hooks := webhook.New(&unsure{back.Webhooks(), calls}, func(c *webhook.Config) {
			c.Network = webhook.Network{AllowHTTP: true, Ports: []uint16{address.Port()}, Allow: []netip.Prefix{netip.PrefixFrom(address.Addr(), 32)}}
			c.Retry.Backoff = func(int) time.Duration { return time.Millisecond }
		})
		n.Attach(hooks)
		ended := make(chan error, 1)
		go func() { ended <- n.Run(context.Background()) }()
		require.NoError(t, n.Ready(t.Context()))
		if round == 0 { // the file has them from then on
			for _, name := range []string{"free", "ordered"} {
				require.NoError(t, hooks.Put(t.Context(), webhook.Endpoint{
					ID: name, URL: server.URL + "/" + name, Secrets: []webhook.Secret{secret}, Types: []string{"notify.delivered.v1"}, Ordered: name == "ordered",
				}))
			}
		}
		for i := range 50 {
			id := fmt.Sprintf("e_%d_%02d", round, i)
			_, err := notify.Emit(t.Context(), n, notify.Delivered{}, func(e *notify.Envelope) { e.ID, e.NotificationID = id, "n_1" })
			require.NoError(t, err)
			want = append(want, id)
		}
		patience := 30 * time.Second
		if round < 2 {
			for path := range r.hangs {
				if path == "/ordered" {
					break
				}
			}
			patience = 100 * time.Millisecond
		} else {
			for _, name := range []string{"free", "ordered"} {
				require.Eventually(t, func() bool {
					status, err := hooks.Get(t.Context(), name)
					return err == nil && status.Pending == 0 && len(once(r.all("/"+name))) == len(want)
				}, time.Minute, 10*time.Millisecond)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		require.NoError(t, n.Close(ctx), "what is not handled, or not sent, is in the next round")
		cancel()
		require.NoError(t, <-ended)
	}
	require.Equal(t, want, r.all("/ordered"))
	require.ElementsMatch(t, want, once(r.all("/free")))
}

func once(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }

func (r *receivers) all(path string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got[path])
}
