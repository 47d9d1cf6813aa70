package timelinehttp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinehttp"
	"github.com/seed-6c01d079/notify/notifytest"
)

// HEAD asks for nothing that it would wait for.
func TestHeadOfAStream(t *testing.T) {
	t.Parallel()
	s := serve(t, all)
	release := make(chan struct{})
	defer close(release)
	s.mail.Decide(func(notify.Delivery[notify.Email]) notifytest.Outcome {
		<-release
		return notifytest.Succeed()
	})
	path := "/notifications/" + s.send("acme", "ann") + "/events"
	bound, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequestWithContext(bound, http.MethodHead, path, nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
	require.Empty(t, w.Body.String())
}

var whole = []string{
	"notify.accepted.v1", "notify.routed.v1", "notify.rendered.v1", "notify.sending.v1", "notify.sent.v1", "notify.settled.v1",
}

// A stream has what was and what comes, and ends; who connects again gets the
// rest.
func TestStream(t *testing.T) {
	t.Parallel()
	s := serve(t, all)
	release := make(chan struct{})
	s.mail.Decide(func(notify.Delivery[notify.Email]) notifytest.Outcome {
		<-release
		return notifytest.Succeed()
	})
	id := s.send("acme", "ann")
	live := s.stream("/notifications/" + id + "/events")
	var seen []message
	for range 4 {
		m, err := live.next()
		require.NoError(t, err)
		seen = append(seen, m)
	}
	require.Equal(t, whole[:4], names(seen))
	again := s.stream("/notifications/"+id+"/events", "Last-Event-ID", seen[2].id)
	m, err := again.next()
	require.NoError(t, err)
	require.Equal(t, seen[3], m)
	close(release)
	require.Equal(t, whole[4:], names(again.rest()))
	seen = append(seen, live.rest()...)
	require.Equal(t, whole, names(seen))
	for _, m := range seen {
		var event map[string]any
		require.NoError(t, json.Unmarshal([]byte(m.data), &event))
		require.Equal(t, m.id, event["id"])
		require.Equal(t, m.event, event["type"])
	}
	// Afterwards.
	require.Equal(t, whole, names(s.stream("/notifications/"+id+"/events").rest()))
	require.Equal(t, whole[5:], names(s.stream("/notifications/"+id+"/events", "Last-Event-ID", seen[4].id).rest()))
	done := s.request("/notifications/"+id+"/events", "Last-Event-ID", seen[5].id)
	require.Equal(t, http.StatusNoContent, done.StatusCode)
	// One that the record has forgotten: all come, with the same IDs.
	require.Equal(t, seen, s.stream("/notifications/"+id+"/events", "Last-Event-ID", id+"/gone").rest())
}

// Who connects again while nothing happens is told at once that it is connected.
func TestStreamBeginsAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, all, func(c *timelinehttp.Config) { c.Heartbeat = time.Hour })
	release := make(chan struct{})
	s.mail.Decide(func(notify.Delivery[notify.Email]) notifytest.Outcome {
		<-release
		return notifytest.Succeed()
	})
	id := s.send("acme", "ann")
	live := s.stream("/notifications/" + id + "/events")
	var last message
	for last.event != "notify.sending.v1" {
		var err error
		last, err = live.next()
		require.NoError(t, err)
	}
	again := s.stream("/notifications/"+id+"/events", "Last-Event-ID", last.id)
	close(release)
	require.Equal(t, whole[4:], names(again.rest()))
}

func TestStreamBadInput(t *testing.T) {
	t.Parallel()
	s := serve(t, all)
	id := s.settled("acme", "ann")
	s.get(http.StatusNotFound, "/notifications/n_0/events")
	body := s.get(http.StatusBadRequest, "/notifications/"+id+"/events", "Last-Event-ID", "n_0/sent")
	require.Equal(t, "Last-Event-ID", body["errors"].([]any)[0].(map[string]any)["parameter"])
}

// A stream in which nothing happens is kept open, its client may go, and there
// are no more than may be.
func TestStreamThatWaits(t *testing.T) {
	t.Parallel()
	s := serve(t, all, func(c *timelinehttp.Config) { c.MaxStreams, c.Heartbeat = 1, 10*time.Millisecond })
	release := make(chan struct{})
	s.mail.Decide(func(notify.Delivery[notify.Email]) notifytest.Outcome {
		<-release
		return notifytest.Succeed()
	})
	id := s.send("acme", "ann")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/notifications/"+id+"/events", nil)
	require.NoError(t, err)
	answer, err := s.http.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	open := &events{t, bufio.NewScanner(answer.Body)}
	for m := (message{}); m.comment == ""; {
		m, err = open.next()
		require.NoError(t, err)
	}
	refused := s.request("/notifications/" + id + "/events")
	require.Equal(t, http.StatusServiceUnavailable, refused.StatusCode)
	require.NotEmpty(t, refused.Header.Get("Retry-After"))
	leave()
	eventually(t, func() bool {
		again := s.request("/notifications/" + id + "/events")
		return again.StatusCode == http.StatusOK && again.Body.Close() == nil
	})
	close(release)
}

// When the program ends, so do its streams.
func TestStreamOfAProgramThatEnds(t *testing.T) {
	t.Parallel()
	s := serve(t, all)
	release := make(chan struct{})
	s.mail.Decide(func(notify.Delivery[notify.Email]) notifytest.Outcome {
		<-release
		return notifytest.FailTemporarily(notify.ClassService, "")
	})
	id := s.send("acme", "ann")
	live := s.stream("/notifications/" + id + "/events")
	_, err := live.next()
	require.NoError(t, err)
	close(release)
	require.NoError(t, s.n.Close(t.Context()))
	require.NotContains(t, names(live.rest()), "notify.settled.v1")
}
