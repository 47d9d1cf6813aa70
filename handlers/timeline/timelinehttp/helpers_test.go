package timelinehttp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinehttp"
	"github.com/seed-6c01d079/notify/notifytest"
)

// site is a program that serves its timeline.
type site struct {
	t    *testing.T
	n    *notify.Notifier
	mail *notifytest.Provider[notify.Email]
	url  string
	http *http.Client
	// handler is what serves at the url.
	handler http.Handler
}

// all shows everything.
func all(c *timelinehttp.Config) { c.AllTenants = true }

func serve(t *testing.T, options ...func(*timelinehttp.Config)) *site {
	t.Helper()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	s := &site{t: t, n: n, mail: notifytest.NewProvider[notify.Email]("mail")}
	notify.Use(n, s.mail)
	store := timeline.NewMemory()
	n.Attach(timeline.New(store))
	ran := make(chan error, 1)
	go func() { ran <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	s.handler = timelinehttp.New(n, store, options...)
	server := httptest.NewServer(s.handler)
	s.url, s.http = server.URL, server.Client()
	t.Cleanup(func() {
		require.NoError(t, n.Close(context.Background()))
		require.NoError(t, <-ran)
		server.Close()
	})
	return s
}

func (s *site) send(tenant, recipient string) (id string) {
	s.t.Helper()
	id, err := s.n.Send(s.t.Context(), notify.Notification{
		To:      notify.Recipient{ID: recipient, Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "On its way."}, Tenant: tenant, Route: notify.First(notify.EmailChannel),
		Labels: map[string]string{"order": "A-1"},
	})
	require.NoError(s.t, err)
	return id
}

// settled sends, and waits until the timeline has it.
func (s *site) settled(tenant, recipient string) (id string) {
	s.t.Helper()
	id = s.send(tenant, recipient)
	_, err := s.n.Wait(s.t.Context(), id)
	require.NoError(s.t, err)
	require.NoError(s.t, s.n.Handled(s.t.Context(), id, "timeline"))
	return id
}

func (s *site) request(path string, header ...string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	require.NoError(s.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := s.http.Do(r)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// get reads an answer of JSON.
func (s *site) get(status int, path string, header ...string) (body map[string]any) {
	s.t.Helper()
	answer := s.request(path, header...)
	require.Equal(s.t, status, answer.StatusCode)
	want := "application/json"
	if status >= 400 {
		want = "application/problem+json"
	}
	require.Equal(s.t, want, answer.Header.Get("Content-Type"))
	require.Equal(s.t, "no-store", answer.Header.Get("Cache-Control"))
	require.NoError(s.t, json.NewDecoder(answer.Body).Decode(&body))
	return body
}

// message is one of a stream.
type message struct{ id, event, data, comment string }

// events reads a stream as the HTML standard says, as far as ours goes.
type events struct {
	t     *testing.T
	lines *bufio.Scanner
}

func (s *site) stream(path string, header ...string) *events {
	s.t.Helper()
	answer := s.request(path, header...)
	require.Equal(s.t, http.StatusOK, answer.StatusCode)
	require.Equal(s.t, "text/event-stream", answer.Header.Get("Content-Type"))
	return &events{s.t, bufio.NewScanner(answer.Body)}
}

func (e *events) next() (message, error) {
	var m message
	for e.lines.Scan() {
		line := e.lines.Text()
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			return m, nil
		case field == "id":
			m.id = value
		case field == "event":
			m.event = value
		case field == "data":
			m.data += value
		case field == "":
			m.comment = value
		}
	}
	if err := e.lines.Err(); err != nil {
		return m, err
	}
	return m, io.EOF
}

// rest are the messages until the stream ends.
func (e *events) rest() (all []message) {
	e.t.Helper()
	for {
		m, err := e.next()
		if err != nil {
			require.ErrorIs(e.t, err, io.EOF)
			return all
		}
		if m.id != "" {
			all = append(all, m)
		}
	}
}

func names(all []message) (names []string) {
	for _, m := range all {
		names = append(names, m.event)
	}
	return names
}

func eventually(t *testing.T, so func() bool) {
	t.Helper()
	require.Eventually(t, so, time.Minute, 5*time.Millisecond)
}
