package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// After SIGTERM what is under way gets its answer, what comes is told to come
// again, a mail that the SMTP server has in hand is waited for, and nothing is
// lost.
func TestTerminate(t *testing.T) {
	t.Parallel()
	box := openMailbox(t)
	args := []string{"-db", filepath.Join(t.TempDir(), "notify.db"), "-smtp", box.addr}
	p := start(t, args...)
	c := newClient(t, p.url)
	began, release := box.hold(t, "held@example.com")
	held := c.send("held@example.com", "held")
	<-began
	watched := c.events(held, "")

	// A request of which the server has only a half.
	body := mailTo("half@example.com")
	connection, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	_, err = fmt.Fprintf(connection, "POST /v1/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: \"half\"\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	require.NoError(t, err)
	reader := bufio.NewReader(connection)
	line, err := reader.ReadString('\n') // the server reads the body: it is inside
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue")
	_, err = io.WriteString(connection, body[:20])
	require.NoError(t, err)

	p.terminate()
	draining := func() bool {
		got := c.do(http.MethodGet, "/healthz", "")
		return got.status == http.StatusServiceUnavailable
	}
	for !draining() {
	}
	refused, err := c.trySend("late@example.com", "late")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, refused.status)
	require.Equal(t, "5", refused.header.Get("Retry-After"))
	require.Equal(t, "application/problem+json", refused.header.Get("Content-Type"))

	_, err = io.WriteString(connection, body[20:])
	require.NoError(t, err)
	_, err = reader.ReadString('\n') // of 100 Continue
	require.NoError(t, err)
	got, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	all, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	half := answer{got.StatusCode, got.Header, string(all)}.id(t)

	// The mail in hand still holds it up, and it still answers.
	require.True(t, draining())
	release()
	require.Equal(t, 0, p.code(), p.log.String())
	for id, _ := watched.next(); id != ""; id, _ = watched.next() { // the stream has ended in order
	}

	c = newClient(t, start(t, args...).url)
	require.Equal(t, held, c.send("held@example.com", "held"))
	for to, id := range map[string]string{"held@example.com": held, "half@example.com": half, "late@example.com": c.send("late@example.com", "late")} {
		require.Equal(t, "sent", c.await(id), to)
		require.Equal(t, 1, box.count(to), to)
	}
}

// What does not end by -drain is given up, and not lost either.
func TestTerminateByDeadline(t *testing.T) {
	t.Parallel()
	box := openMailbox(t)
	args := []string{"-db", filepath.Join(t.TempDir(), "notify.db"), "-smtp", box.addr, "-drain", "300ms"}
	p := start(t, args...)
	c := newClient(t, p.url)
	began, release := box.hold(t, "held@example.com")
	id := c.send("held@example.com", "")
	<-began
	p.terminate()
	<-p.ended
	release()
	c = newClient(t, start(t, args...).url)
	require.Equal(t, "unknown", c.await(id))
	require.Equal(t, 1, box.count("held@example.com"))
}
