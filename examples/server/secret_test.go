package main

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is sent, to whom and with which password is in no log, event or metric.
func TestNothingSecretIsTold(t *testing.T) {
	t.Parallel()
	box := openMailbox(t)
	body := `{"to": {"id": "u_42", "name": "canary", "addresses": {"email": "refused-canary@example.com"}},
		"content": {"title": "canary", "body": "canary"}, "data": {"canary": "canary"}}`
	for _, one := range []struct {
		args, env []string
		until     string
	}{
		{nil, nil, "notify.failed.v1"}, // the server repeats the address in its answer
		{[]string{"-smtp-user", "shop"}, []string{"SMTP_PASSWORD=" + canary}, "notify.retrying.v1"}, // it knows no log-in
	} {
		p := startWith(t, one.env, append(one.args, "-smtp", box.addr, "-db", filepath.Join(t.TempDir(), "notify.db"))...)
		c := newClient(t, p.url)
		id := c.do(http.MethodPost, "/v1/send", body, "Content-Type", "application/json", "Idempotency-Key", `"canary"`).id(t)
		stream := c.events(id, "")
		kind := ""
		for kind != one.until {
			last, next := stream.next()
			require.NotEmpty(t, last, "the stream ended before %s", one.until)
			kind = next
		}
		for _, path := range []string{
			"/v1/notifications/" + id, "/v1/notifications?recipient_id=u_42", "/v1/topology", "/metrics", "/healthz",
		} {
			got := c.do(http.MethodGet, path, "")
			require.Equal(t, http.StatusOK, got.status, path)
			require.NotContains(t, got.body, canary, path)
		}
		p.terminate()
		require.Equal(t, 0, p.code(), p.log.String())
		require.NotContains(t, p.log.String()+p.out.String(), canary)
	}
}
