package webhook_test

import (
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// at returns a client that may call the server's address.
func at(t *testing.T, address string, options ...func(*webhook.Network)) webhook.Client {
	t.Helper()
	to := netip.MustParseAddrPort(address)
	config := webhook.Network{AllowHTTP: true, Ports: []uint16{to.Port()}, Allow: []netip.Prefix{netip.PrefixFrom(to.Addr(), to.Addr().BitLen())}}
	for _, option := range options {
		option(&config)
	}
	return webhook.NewClient(config, 10*time.Second)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = discard()
	s.StartTLS()
	t.Cleanup(s.Close)
	address := s.Listener.Addr().String()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	trusting := at(t, address, func(n *webhook.Network) { n.AllowHTTP, n.RootCAs = false, roots })
	status, failure := trusting.Post(t.Context(), "https://"+address+"/")
	require.Equal(t, 200, status)
	require.Empty(t, failure)
	_, failure = trusting.Post(t.Context(), "http://"+address+"/")
	require.Equal(t, webhook.FailureBlocked, failure)
	_, failure = at(t, address).Post(t.Context(), "https://"+address+"/")
	require.Equal(t, webhook.FailureTLS, failure, "it is not trusted")

	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(plain.Close)
	address = plain.Listener.Addr().String()
	_, failure = at(t, address).Post(t.Context(), "https://"+address+"/")
	require.Equal(t, webhook.FailureTLS, failure)
}

// serveRaw answers every connection with a text, and keeps writing it.
func serveRaw(t *testing.T, write func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			write(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return l.Addr().String()
}

func TestOddAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		write   func(c net.Conn)
		failure webhook.Failure
	}{
		"nothing":     {func(net.Conn) {}, webhook.FailureAnswer},
		"not http":    {func(c net.Conn) { fmt.Fprint(c, "220 smtp.example.com ESMTP\r\n") }, webhook.FailureAnswer},
		"a body cut":  {func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx") }, ""},
		"many 100s":   {func(c net.Conn) { fmt.Fprint(c, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100)) }, webhook.FailureAnswer},
		"status 999":  {func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n") }, webhook.FailureStatus},
		"status 101":  {func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n") }, webhook.FailureStatus},
		"two answers": {func(c net.Conn) { fmt.Fprint(c, strings.Repeat("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 2)) }, ""},
		"no end of headers": {func(c net.Conn) {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
			for i := 0; ; i++ {
				if _, err := fmt.Fprintf(c, "X-%d: %s\r\n", i, strings.Repeat("x", 1000)); err != nil {
					return
				}
			}
		}, webhook.FailureAnswer},
		"no end of the body": {func(c net.Conn) {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\n\r\n")
			for {
				if _, err := c.Write(make([]byte, 1000)); err != nil {
					return
				}
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serveRaw(t, tc.write)
			_, failure := at(t, address).Post(t.Context(), "http://"+address+"/")
			require.Equal(t, tc.failure, failure)
		})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, failure := at(t, l.Addr().String()).Post(t.Context(), "http://"+l.Addr().String()+"/")
	require.Equal(t, webhook.FailureConnect, failure)
	_, failure = client(t, &resolver{}, []uint16{80}).Post(t.Context(), "http://nowhere.example.com/")
	require.Equal(t, webhook.FailureResolve, failure)
}

func TestNoProxyFromTheEnvironment(t *testing.T) {
	p := listen(t)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, fmt.Sprintf("http://127.0.0.1:%d", p.port))
	}
	server := public(t, func(http.ResponseWriter, *http.Request) {})
	// By a name, since for loopback addresses the environment is not asked.
	c := client(t, &resolver{addresses: []netip.Addr{server.Addr()}}, []uint16{server.Port()}, netip.PrefixFrom(server.Addr(), 32))
	_, failure := c.Post(t.Context(), fmt.Sprintf("http://hooks.example.com:%d/", server.Port()))
	require.Empty(t, failure)
	p.requireUntouched(t)
}

// What net/http receives unasked on a connection that it keeps, it writes to the
// standard log, and an endpoint decides what that is.
func TestWhatComesUnaskedIsNotLogged(t *testing.T) {
	var written safeBuffer
	log.SetOutput(&written)
	defer log.SetOutput(os.Stderr)
	ended := make(chan struct{})
	address := serveRaw(t, func(c net.Conn) {
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\ncanary")
		_, _ = io.Copy(io.Discard, c)
		close(ended)
	})
	_, failure := at(t, address).Post(t.Context(), "http://"+address+"/")
	require.Empty(t, failure)
	<-ended
	require.NotContains(t, written.String(), "canary")
}
