package main

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-6c01d079/notify/backends/postgres/postgrestest"
)

// What is asked of the service is the same on every backend.
func TestBackends(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := filepath.Join(dir, "address.key")
	require.NoError(t, os.WriteFile(key, []byte(strings.Repeat("k", 32)+"\n"), 0o600))
	t.Run("memory", func(t *testing.T) { roundTrip(t, "-backend", "memory") })
	t.Run("sqlite", func(t *testing.T) { roundTrip(t, "-db", filepath.Join(dir, "notify.db")) })
	t.Run("postgres", func(t *testing.T) {
		roundTrip(t, "-backend", startPostgres(t), "-address-key", key)
	})
	t.Run("kafka and postgres", func(t *testing.T) {
		roundTrip(t, "-backend", startKafka(t), "-records", startPostgres(t), "-address-key", key)
	})
	t.Run("kafka alone", func(t *testing.T) {
		s := openService(t, io.Discard, "-backend", startKafka(t), "-records", "none", "-address-key", key)
		c := newClient(t, serveWith(t, newServer(s.handler(), s.log)))
		id := c.send("ann@example.com", "")
		_, err := s.notifier.Wait(t.Context(), id)
		require.NoError(t, err)
		require.NoError(t, s.notifier.Handled(t.Context(), id, "timeline"))
		state, settled := c.status(id)
		require.Equal(t, "sent", state)
		require.True(t, settled)
		requireProblem(t, c.do(http.MethodDelete, "/v1/notifications/"+id, ""), unsupported)
		requireProblem(t, c.do(http.MethodGet, "/v1/notifications/"+id+"/events", ""), unsupported)
		refused, err := c.trySend("ann@example.com", "order 17")
		require.NoError(t, err)
		require.Equal(t, keyHeader, requireProblem(t, refused, invalid).Errors[0].Header)
	})
}

// roundTrip sends, repeats, watches, lists and cancels.
func roundTrip(t *testing.T, args ...string) {
	s := openService(t, io.Discard, args...)
	c := newClient(t, serveWith(t, newServer(s.handler(), s.log)))
	id := c.send("ann@example.com", "order 17")
	require.Equal(t, id, c.send("ann@example.com", "order 17"))
	require.Equal(t, "sent", c.await(id))
	require.NoError(t, s.notifier.Handled(t.Context(), id, "timeline"))
	var page struct {
		Notifications []struct{ Status struct{ State string } }
	}
	c.do(http.MethodGet, "/v1/notifications?state=sent", "").decode(t, &page)
	require.Len(t, page.Notifications, 1)
	theirs := c.do(http.MethodPost, "/v1/send", strings.Replace(mailTo("eve@example.com"), "{", `{"tenant": "acme", `, 1), "Content-Type", "application/json").id(t)
	require.Equal(t, "sent", c.await(theirs))
	require.NoError(t, s.notifier.Handled(t.Context(), theirs, "timeline"))
	c.do(http.MethodGet, "/v1/notifications", "").decode(t, &page)
	require.Len(t, page.Notifications, 2, "whatever their tenants")
	id = c.send("bob@example.com", "") // known at once, whatever the backend
	require.NotEqual(t, http.StatusNotFound, c.do(http.MethodDelete, "/v1/notifications/"+id, "").status)
	require.Contains(t, []string{"sent", "canceled"}, c.await(id))
}

func startKafka(t *testing.T) string {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return "kafka://" + strings.Join(cluster.ListenAddrs(), ",") + "?replication=1"
}

func startPostgres(t *testing.T) string {
	t.Helper()
	server, err := postgrestest.Start()
	if errors.Is(err, postgrestest.ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	host, _, _ := strings.Cut(strings.TrimPrefix(server.DSN(), "host="), " ")
	return "postgres://postgres@/postgres?host=" + url.QueryEscape(host)
}

// Flags that do not work are refused, and never with the secret that is in them.
func TestBadFlags(t *testing.T) {
	t.Parallel()
	short := filepath.Join(t.TempDir(), "short.key")
	require.NoError(t, os.WriteFile(short, []byte("short\n"), 0o600))
	for _, one := range []struct {
		args []string
		want string
	}{
		{[]string{"canary"}, "no arguments"},
		{[]string{"-drain", "0s"}, "-drain"},
		{[]string{"-backend", "canary"}, "-backend"},
		{[]string{"-backend", "kafka://"}, "-backend kafka"},
		{[]string{"-backend", "kafka://x:1?canary=1"}, "-backend kafka"},
		{[]string{"-backend", "kafka://x:1?replication=canary"}, "-backend kafka"},
		{[]string{"-backend", "kafka://x:1"}, "-records"},
		{[]string{"-backend", "kafka://x:1", "-records", "canary"}, "-records"},
		{[]string{"-backend", "kafka://x:1", "-records", "none"}, "-address-key"},
		{[]string{"-backend", "memory", "-records", "none"}, "-records"},
		{[]string{"-backend", "postgres://app:canary@x/y"}, "-address-key"},
		{[]string{"-backend", "postgres://app:canary@x/y", "-address-key", "/nowhere"}, "-address-key"},
		{[]string{"-backend", "postgres://app:canary@x:port/y", "-address-key", short}, "AddressKey"},
		{[]string{"-db", "/nowhere/notify.db"}, "/nowhere"},
		{[]string{"-backend", "memory", "-smtp", "localhost"}, "Addr"},
		{[]string{"-backend", "memory", "-smtp", "localhost:25", "-from", "nobody"}, "From"},
		{[]string{"-backend", "memory", "-addr", "127.0.0.1:http-canary"}, "listen"},
	} {
		out := &lines{}
		err := run(t.Context(), append([]string{"-addr", "127.0.0.1:0"}, one.args...), io.Discard, out)
		require.ErrorContains(t, err, one.want, "%v", one.args)
		if one.want != "listen" {
			require.NotContains(t, err.Error()+out.String(), canary)
		}
	}
}

// A file that another process has is not touched.
func TestOneProcessHasTheFile(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "notify.db")
	openService(t, io.Discard, "-db", db)
	err := run(t.Context(), []string{"-addr", "127.0.0.1:0", "-db", db}, io.Discard, io.Discard)
	require.ErrorContains(t, err, "in use")
}
