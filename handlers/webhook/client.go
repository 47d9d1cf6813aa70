package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	dialTimeout    = 10 * time.Second
	tlsTimeout     = 10 * time.Second
	maxHeaderBytes = 16 << 10
	contentJSON    = "application/json"
	userAgent      = "notify-webhook/1"
)

// client calls endpoints.
type client struct {
	network   *network
	transport *http.Transport
	timeout   time.Duration
}

func newClient(n *network, timeout time.Duration) *client {
	dialer := &net.Dialer{Timeout: dialTimeout, ControlContext: n.control, Resolver: n.Resolver}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &client{network: n, timeout: timeout, transport: &http.Transport{
		Proxy:               nil,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: n.RootCAs},
		TLSHandshakeTimeout: tlsTimeout,
		Protocols:           &protocols,
		// A connection for each call: what an idle one receives unasked, net/http
		// writes to the log.
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // nobody reads the answer
	}}
}

// answer is what a call came to.
type answer struct {
	status     int
	failure    Failure
	retryAfter time.Duration // 0: none was given
	at         time.Time
	took       time.Duration
}

// call sends the message once. The error is ctx's, if that ended it: then
// nobody knows what came of it.
func (c *client) call(ctx context.Context, e *Endpoint, m *Message) (answer, error) {
	a := answer{at: time.Now()}
	bound, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	a.status, a.retryAfter, a.failure = c.post(bound, e, m, a.at)
	a.took = time.Since(a.at)
	return a, ctx.Err()
}

func (c *client) post(ctx context.Context, e *Endpoint, m *Message, at time.Time) (int, time.Duration, Failure) {
	u, problem := c.network.parse(e.URL)
	if problem != "" {
		return 0, 0, FailureBlocked
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(m.Body))
	if err != nil {
		return 0, 0, FailureBlocked
	}
	r.Header.Set("Content-Type", contentJSON)
	r.Header.Set("User-Agent", userAgent)
	r.Header.Set(HeaderID, HeaderValue(m.ID))
	r.Header.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	r.Header.Set(HeaderSignature, Sign(m.ID, at, m.Body, e.Secrets...))
	// The transport itself: it follows no redirect and keeps no cookies.
	response, err := c.transport.RoundTrip(r)
	if err != nil {
		return 0, 0, failureOf(ctx, err)
	}
	_ = response.Body.Close() // and with it the connection, whatever is still to come
	retryAfter := parseRetryAfter(response.Header.Get("Retry-After"), time.Now())
	switch status := response.StatusCode; {
	case status >= 200 && status <= 299:
		return status, 0, ""
	case status >= 300 && status <= 399:
		return status, retryAfter, FailureRedirect
	case status == http.StatusGone:
		return status, 0, FailureGone
	default:
		return status, retryAfter, FailureStatus
	}
}

// failureOf classifies an error, whose text nobody may see: it has the URL's
// host, or what the other side wrote.
func failureOf(ctx context.Context, err error) Failure {
	var (
		resolve     *net.DNSError
		operation   *net.OpError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		timeout     net.Error
	)
	isTimeout := errors.As(err, &timeout) && timeout.Timeout()
	switch {
	case errors.Is(err, errBlocked):
		return FailureBlocked
	case errors.As(err, &resolve):
		return FailureResolve
	case ctx.Err() != nil || isTimeout:
		return FailureTimeout
	case errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &record), errors.As(err, &alert):
		return FailureTLS
	case errors.As(err, &operation) && operation.Op == "dial":
		return FailureConnect
	default:
		return FailureAnswer
	}
}
