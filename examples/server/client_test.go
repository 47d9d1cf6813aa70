package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// client is a real one, of 64 connections.
type client struct {
	t    *testing.T
	url  string
	http *http.Client
}

func newClient(t *testing.T, url string) *client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{t: t, url: url, http: &http.Client{Transport: transport}}
}

// answer is what came back, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) decode(t *testing.T, to any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), to), a.body)
}

// id is that of the accepted notification.
func (a answer) id(t *testing.T) string {
	t.Helper()
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	var accepted struct{ ID string }
	a.decode(t, &accepted)
	require.NotEmpty(t, accepted.ID)
	require.Equal(t, "/v1/notifications/"+accepted.ID, a.header.Get("Location"))
	return accepted.ID
}

// try makes a request; the header comes as names and values.
func (c *client) try(method, path string, body io.Reader, header ...string) (answer, error) {
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, body)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	got, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = got.Body.Close() }()
	all, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, got.Header, string(all)}, err
}

func (c *client) do(method, path, body string, header ...string) answer {
	c.t.Helper()
	got, err := c.try(method, path, strings.NewReader(body), header...)
	require.NoError(c.t, err)
	return got
}

func mailTo(to string) string {
	return fmt.Sprintf(`{"to": {"addresses": {"email": %q}}, "content": {"title": "Shipped", "body": "On its way."}}`, to)
}

// trySend sends a mail to a recipient, under an idempotency key if it is not
// empty.
func (c *client) trySend(to, key string) (answer, error) {
	header := []string{"Content-Type", "application/json"}
	if key != "" {
		header = append(header, "Idempotency-Key", fmt.Sprintf("%q", key))
	}
	return c.try(http.MethodPost, "/v1/send", strings.NewReader(mailTo(to)), header...)
}

func (c *client) send(to, key string) (id string) {
	c.t.Helper()
	got, err := c.trySend(to, key)
	require.NoError(c.t, err)
	return got.id(c.t)
}

// status is the state of a notification, and whether it has settled.
func (c *client) status(id string) (state string, settled bool) {
	c.t.Helper()
	got := c.do(http.MethodGet, "/v1/notifications/"+id, "")
	require.Equal(c.t, http.StatusOK, got.status, got.body)
	var status struct {
		State   string
		Settled bool
	}
	got.decode(c.t, &status)
	return status.State, status.Settled
}

// await reads the notification's events to their end, which is when it has
// settled, and returns its state.
func (c *client) await(id string) string {
	c.t.Helper()
	got := c.do(http.MethodGet, "/v1/notifications/"+id+"/events", "")
	require.Equal(c.t, http.StatusOK, got.status, got.body)
	state, settled := c.status(id)
	require.True(c.t, settled, state)
	return state
}

// events is an open stream.
type events struct {
	t    *testing.T
	body io.ReadCloser
	all  *bufio.Scanner
}

func (c *client) events(id, last string) *events {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.url+"/v1/notifications/"+id+"/events", nil)
	require.NoError(c.t, err)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	got, err := c.http.Do(r)
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = got.Body.Close() })
	require.Equal(c.t, http.StatusOK, got.StatusCode)
	require.Equal(c.t, "text/event-stream", got.Header.Get("Content-Type"))
	return &events{t: c.t, body: got.Body, all: bufio.NewScanner(got.Body)}
}

// next returns the next event's ID and type, or nothing at the stream's end.
func (e *events) next() (id, kind string) {
	e.t.Helper()
	for e.all.Scan() {
		require.NotContains(e.t, e.all.Text(), canary)
		field, value, _ := strings.Cut(e.all.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			kind = value
		case "":
			if id != "" {
				return id, kind
			}
		}
	}
	require.NoError(e.t, e.all.Err())
	return "", ""
}
