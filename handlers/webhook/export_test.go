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

// ParseRetryAfter reads the header.
func ParseRetryAfter(value string, now time.Time) time.Duration { return parseRetryAfter(value, now) }

// Client is what a sender calls endpoints by.
type Client struct{ *client }

// NewClient returns one.
func NewClient(config Network, timeout time.Duration) Client {
	return Client{newClient(newNetwork(config), timeout)}
}

// Post calls a URL once, as an attempt does.
func (c Client) Post(ctx context.Context, url string) (status int, failure Failure) {
	a, _ := c.call(ctx, &Endpoint{ID: "ep", URL: url, Secrets: []Secret{NewSecret()}}, &Message{ID: "m", Body: []byte("{}")})
	return a.status, a.failure
}

// Dial connects without looking at the URL: the guard of the address alone.
func (c Client) Dial(ctx context.Context, address string) (Failure, error) {
	conn, err := c.transport.DialContext(ctx, "tcp", address)
	if err != nil {
		return failureOf(ctx, err), err
	}
	return "", conn.Close()
}

// Denied are the addresses that are not allowed.
func Denied() []netip.Prefix { return deniedPrefixes() }
