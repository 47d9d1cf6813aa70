package webhook_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// private is a port of the host's own, on all its addresses: nobody may connect.
type private struct {
	port        uint16
	connections atomic.Int64
}

func listen(t *testing.T) *private {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	p := &private{port: uint16(l.Addr().(*net.TCPAddr).Port)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.connections.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return p
}

func (p *private) requireUntouched(t *testing.T) {
	t.Helper()
	// A connection of one's own comes after all others.
	c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", p.port))
	require.NoError(t, err)
	defer c.Close()
	require.Eventually(t, func() bool { return p.connections.Load() > 0 }, 10*time.Second, time.Millisecond)
	require.EqualValues(t, 1, p.connections.Load())
}

// public is a server at an address that is allowed: the only one.
func public(t *testing.T, h http.HandlerFunc) (address netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip("127.0.0.2 is no address here, so there is no second one to allow:", err)
	}
	s := httptest.NewUnstartedServer(h)
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(l.Addr().String())
}

// client returns one that may call those ports, and of addresses that are not
// public those given; all names resolve to loopback.
func client(t *testing.T, r *resolver, ports []uint16, allow ...netip.Prefix) webhook.Client {
	t.Helper()
	c := webhook.NewClient(webhook.Network{AllowHTTP: true, Ports: ports, Allow: allow, Resolver: r.resolver()}, 10*time.Second)
	t.Cleanup(r.serving.Wait)
	return c
}

func loopback() *resolver {
	return &resolver{addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}}
}

func TestHostileURLsAreRefused(t *testing.T) {
	t.Parallel()
	const port = 8080
	urls := hostileURLs(port)
	require.Greater(t, len(urls), 200)
	hooks := webhook.New(webhook.NewMemory(), func(c *webhook.Config) {
		c.Network = webhook.Network{AllowHTTP: true, Ports: []uint16{port}}
	})
	for _, u := range urls {
		err := hooks.Put(t.Context(), webhook.Endpoint{ID: "ep_1", URL: u, Secrets: []webhook.Secret{webhook.NewSecret()}, Types: []string{delivered}})
		if strings.Contains(u, ".nip.io") {
			require.NoError(t, err, "a name, and looked up when it is called")
			continue
		}
		found := notify.FieldErrors(err)
		require.Len(t, found, 1, u)
		require.Equal(t, "Endpoint.URL", found[0].Field)
		if len(u) > 20 {
			require.NotContains(t, err.Error(), u)
		}
	}
	for _, u := range []string{
		"https://example.com", "https://example.com/", "https://example.com/a%20b?token=x&y", "https://hooks.example.co.uk:443/x", "https://EXAMPLE.com/",
		"https://93.184.215.14/", "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", "https://xn--exmple-cua.com/", "https://a_b.example.com/", "https://1a.com/", "https://1.com/?x=@",
	} {
		require.Empty(t, webhook.URLProblem(webhook.Network{}, u), u)
	}
	for u, why := range map[string]string{
		"http://example.com/": "https://", "https://example.com:8443/": "ports [443]", "https://example.com:80/": "ports", "https://example.com/" + strings.Repeat("x", 2048): "bytes", "": "bytes",
		"https://example.com/#x": "fragment",
	} {
		require.Contains(t, webhook.URLProblem(webhook.Network{}, u), why, u)
	}
	inside := webhook.Network{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	for u, ok := range map[string]bool{
		"https://10.1.2.3/": true, "https://10.2.2.3/": false, "https://hooks/": true, "https://hooks.corp/": true, "https://127.0.0.1/": false, "https://[::ffff:10.1.2.3]/": false,
	} {
		require.Equal(t, ok, webhook.URLProblem(inside, u) == "", u)
	}
}

// Direct: past the check of the URL, an attempt connects to nothing; and neither
// does the dialer by itself, whatever a parser makes of the host.
func TestHostileURLsAreNotCalled(t *testing.T) {
	t.Parallel()
	p := listen(t)
	r := loopback()
	c := client(t, r, []uint16{p.port})
	dialled := 0
	for _, u := range hostileURLs(p.port) {
		_, failure := c.Post(t.Context(), u)
		require.Equal(t, webhook.FailureBlocked, failure, u)
		if parsed, err := url.Parse(u); err == nil && parsed.Hostname() != "" && parsed.Port() != "" {
			dialled++
			failure, err := c.Dial(t.Context(), net.JoinHostPort(parsed.Hostname(), parsed.Port()))
			require.Error(t, err, u)
			require.Contains(t, []webhook.Failure{webhook.FailureBlocked, webhook.FailureResolve, webhook.FailureConnect}, failure, u)
		}
	}
	require.Greater(t, dialled, 200)
	p.requireUntouched(t)

	// The control: without the guard they connect.
	open := client(t, loopback(), []uint16{p.port}, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	connected := 0
	for _, u := range hostileURLs(p.port) {
		parsed, err := url.Parse(u)
		if err != nil || parsed.Hostname() == "" || parsed.Port() != fmt.Sprint(p.port) {
			continue
		}
		if _, err := open.Dial(t.Context(), net.JoinHostPort(parsed.Hostname(), parsed.Port())); err == nil {
			connected++
		}
	}
	require.Greater(t, connected, 100)
}

func TestHostileURLsAreNotRedirectedTo(t *testing.T) {
	t.Parallel()
	p := listen(t)
	var location atomic.Pointer[string]
	var status atomic.Int64
	server := public(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Location"] = []string{*location.Load()}
		w.WriteHeader(int(status.Load()))
	})
	// Were one followed, the guard would let it pass.
	c := client(t, loopback(), []uint16{p.port, server.Port()}, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	for i, u := range hostileURLs(p.port) {
		location.Store(&u)
		status.Store([]int64{301, 302, 303, 307, 308}[i%5])
		got, failure := c.Post(t.Context(), "http://"+server.String()+"/")
		require.Equal(t, webhook.FailureRedirect, failure, u)
		require.EqualValues(t, status.Load(), got)
	}
	p.requireUntouched(t)
}

// A name that leads to an allowed address when it is first looked up, and
// elsewhere then, or to both.
func TestANameThatChangesItsAddress(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	server := public(t, func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	stopped := []webhook.Failure{webhook.FailureBlocked}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		_ = l.Close()
	} else {
		stopped = append(stopped, webhook.FailureConnect) // of IPv6, since there is none here
	}
	addresses := append(deniedAddresses(), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"))
	require.Greater(t, len(addresses), 200)
	allowed := netip.MustParseAddr("127.0.0.2")
	for i, denied := range addresses {
		if denied == allowed || denied.Is4In6() && webhook.Allowed(webhook.Network{}, denied.Unmap()) {
			continue // the dialer takes the latter for the public address in it
		}
		r := &resolver{}
		c := webhook.NewClient(webhook.Network{
			AllowHTTP: true, Ports: []uint16{server.Port()}, Allow: []netip.Prefix{netip.PrefixFrom(allowed, 32)}, Resolver: r.resolver(),
		}, 10*time.Second)
		u := fmt.Sprintf("http://name-%d.example.com:%d/", i, server.Port())
		r.set(allowed)
		_, failure := c.Post(t.Context(), u)
		require.Empty(t, failure, denied)

		r.set(denied)
		_, failure = c.Post(t.Context(), u)
		require.Contains(t, stopped, failure, denied)

		r.set(denied, allowed)
		before := calls.Load()
		_, failure = c.Post(t.Context(), u)
		require.Empty(t, failure, denied)
		require.Equal(t, before+1, calls.Load())
		r.serving.Wait()
		require.Greater(t, r.asked, 2)
	}
}

func TestANameThatChangesToLoopback(t *testing.T) {
	t.Parallel()
	p := listen(t)
	r := loopback()
	c := client(t, r, []uint16{p.port}, netip.MustParsePrefix("127.0.0.2/32"))
	for i := range 200 {
		r.set([]netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("127.9.9.9")}[i%3])
		_, failure := c.Post(t.Context(), fmt.Sprintf("http://name-%d.example.com:%d/", i, p.port))
		require.Equal(t, webhook.FailureBlocked, failure)
	}
	p.requireUntouched(t)
}

func TestPortsAreCheckedWhenConnecting(t *testing.T) {
	t.Parallel()
	p := listen(t)
	c := client(t, loopback(), []uint16{p.port + 1}, netip.MustParsePrefix("127.0.0.1/32"))
	failure, err := c.Dial(t.Context(), fmt.Sprint("127.0.0.1:", p.port))
	require.Error(t, err)
	require.Equal(t, webhook.FailureBlocked, failure)
	p.requireUntouched(t)
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	for _, a := range deniedAddresses() {
		require.False(t, webhook.Allowed(webhook.Network{}, a), a)
		if a.Is4() {
			require.False(t, webhook.Allowed(webhook.Network{}, netip.AddrFrom16(a.As16())), "mapped %s", a)
		}
	}
	for text, want := range map[string]bool{
		"1.1.1.1": true, "9.255.255.255": true, "11.0.0.0": true, "100.63.255.255": true, "100.128.0.0": true, "172.15.255.255": true, "172.32.0.0": true,
		"192.0.1.0": true, "198.17.255.255": true, "198.20.0.0": true, "223.255.255.255": true, "168.63.129.17": true, "::ffff:1.1.1.1": false,
		"2606:4700:4700::1111": true, "2a00:1450::1": true, "2001:200::": true, "2001:4860:4860::8888": true, "2003::": true,
		"4000::": false, "1fff::": false, "fbff::": false, "2606:4700:4700::1111%eth0": false, "fe80::1%eth0": false,
	} {
		require.Equal(t, want, webhook.Allowed(webhook.Network{}, netip.MustParseAddr(text)), text)
	}
	require.False(t, webhook.Allowed(webhook.Network{}, netip.Addr{}))
	both := webhook.Network{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Deny: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("1.1.1.1/32")}}
	require.True(t, webhook.Allowed(both, netip.MustParseAddr("10.2.0.1")))
	require.False(t, webhook.Allowed(both, netip.MustParseAddr("10.1.0.1")))
	require.False(t, webhook.Allowed(both, netip.MustParseAddr("1.1.1.1")))
}
