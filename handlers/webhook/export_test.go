package webhook

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// DialBy has the sender connect by a func, and so without its guard.
func (s *Sender) DialBy(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	s.client.transport.DialContext = dial
}

// Random has the sender take this for random.
func (s *Sender) Random(x float64) { s.random = func() float64 { return x } }

// URLProblem says what is wrong with a URL.
func URLProblem(config Network, text string) string {
	_, problem := newNetwork(config).parse(text)
	return problem
}

// Allowed tells whether an address may be called.
func Allowed(config Network, a netip.Addr) bool { return newNetwork(config).allowed(a) }

// Post calls a URL once, past the check of the URL if there is a guard for the
// address alone.
func Post(ctx context.Context, config Network, url string, timeout time.Duration) (status int, failure Failure) {
	c := newClient(newNetwork(config), timeout)
	defer c.close()
	a, _ := c.call(ctx, &Endpoint{ID: "ep", URL: url, Secrets: []Secret{NewSecret()}}, &Message{ID: "m", Body: []byte("{}")})
	return a.status, a.failure
}

// ParseRetryAfter reads the header.
func ParseRetryAfter(value string, now time.Time) time.Duration { return parseRetryAfter(value, now) }
