package main

import (
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A client that lost its stream goes on where it was.
func TestStream(t *testing.T) {
	t.Parallel()
	box := openMailbox(t)
	c := newClient(t, start(t, "-db", filepath.Join(t.TempDir(), "notify.db"), "-smtp", box.addr).url)
	began, release := box.hold(t, "ann@example.com")
	id := c.send("ann@example.com", "")
	<-began
	first := c.events(id, "")
	var ids, kinds []string
	take := func(from *events) bool {
		id, kind := from.next()
		if id != "" {
			ids, kinds = append(ids, id), append(kinds, kind)
		}
		return id != ""
	}
	require.True(t, take(first))
	require.True(t, take(first))
	require.NoError(t, first.body.Close())
	rest := c.events(id, ids[1])
	require.True(t, take(rest))
	require.True(t, take(rest))
	release()
	for take(rest) {
	}
	require.Equal(t, []string{
		"notify.accepted.v1", "notify.routed.v1", "notify.rendered.v1", "notify.sending.v1", "notify.sent.v1", "notify.settled.v1",
	}, kinds)
	path := "/v1/notifications/" + id + "/events"
	require.Equal(t, http.StatusNoContent, c.do(http.MethodGet, path, "", "Last-Event-ID", ids[5]).status)
	require.Equal(t, http.StatusBadRequest, c.do(http.MethodGet, path, "", "Last-Event-ID", "another/accepted").status)
}

// The time that a server allows for a request is not a stream's.
func TestStreamOutlivesTimeouts(t *testing.T) {
	t.Parallel()
	box := openMailbox(t)
	s := openService(t, io.Discard, "-backend", "memory", "-smtp", box.addr)
	patient, server := newServer(s.handler(), s.log), newServer(s.handler(), s.log)
	server.ReadTimeout, server.WriteTimeout = time.Second, time.Second
	server.ReadHeaderTimeout = 0 // as ReadTimeout
	began, release := box.hold(t, "ann@example.com")
	id := newClient(t, serveWith(t, patient)).send("ann@example.com", "")
	<-began
	c := newClient(t, serveWith(t, server))
	stream := c.events(id, "")
	for range 2 { // a connection that says nothing is closed by the timeout
		silent, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
		require.NoError(t, err)
		_, err = io.ReadAll(silent)
		require.NoError(t, err)
		require.NoError(t, silent.Close())
	}
	release()
	last := ""
	for id, kind := stream.next(); id != ""; id, kind = stream.next() {
		last = kind
	}
	require.Equal(t, "notify.settled.v1", last)
}
