package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// leased is when the process that is killed claims.
var leased = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// claims is a process that is killed when it has claimed, and finished one.
func claims(file string) error {
	ctx := context.Background()
	s := sqlite.Open(file).Webhooks()
	for _, e := range []webhook.Endpoint{hook("free"), hook("ordered", inOrder)} {
		if err := s.Put(ctx, e); err != nil {
			return err
		}
	}
	for i := range 10 {
		m := webhook.Message{ID: fmt.Sprint("m_", i), Type: "sent", Tenant: "shop", At: leased.Add(time.Duration(i-10) * time.Second), Body: []byte("{}")}
		if _, err := s.Add(ctx, m); err != nil {
			return err
		}
	}
	claim := func(lane webhook.Lane) ([]webhook.Claim, error) {
		got, _, err := s.Claim(ctx, webhook.Claiming{Now: leased, Until: leased.Add(time.Minute), Lane: lane, Limit: 9})
		return got, err
	}
	got, err := claim(webhook.Slow)
	if err != nil {
		return err
	}
	for _, c := range got {
		if c.Status.ID == "free" {
			if err := s.Finish(ctx, c, tried(c, leased, "", time.Time{})); err != nil {
				return err
			}
		}
	}
	if got, err = claim(webhook.Fast); err != nil {
		return err
	}
	fmt.Println("claimed", len(got))
	select {}
}

// A process is killed between Claim and Finish: what it had finished is, what it
// had claimed is due at once for the next, and nothing is lost.
func TestWebhooksOfAProcessThatIsKilled(t *testing.T) {
	t.Parallel()
	file := path(t)
	child := process("claims", file)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line := make([]byte, len("claimed 4"))
	_, err = out.Read(line)
	require.NoError(t, err)
	require.Equal(t, "claimed 4", string(line))
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())

	s := open(t, file).Webhooks()
	require.Equal(t, 9, hookStatus(t, s, "free").Pending)
	require.Equal(t, 10, hookStatus(t, s, "ordered").Pending)
	ledger, err := s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "free"})
	require.NoError(t, err)
	require.Len(t, ledger.Attempts, 1)
	got := map[string][]string{}
	for now := leased; ; now = now.Add(time.Second) {
		batch := claimHooks(t, s, now, 9)
		if len(batch) == 0 {
			break
		}
		for _, c := range batch {
			require.Equal(t, 1, c.Number, "nobody knows of an attempt")
			require.NoError(t, s.Finish(t.Context(), c, tried(c, now, "", time.Time{})))
			got[c.Status.ID] = append(got[c.Status.ID], c.Message.ID)
		}
	}
	var all []string
	for i := range 10 {
		all = append(all, fmt.Sprint("m_", i))
	}
	require.Equal(t, all, got["ordered"])
	require.ElementsMatch(t, all[1:], got["free"])
}

// A claim that its process does not finish before it closes the file is given out
// anew, and what comes of the first call is in the ledger only.
func TestAClaimEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	file, at := path(t), now()
	b := open(t, file)
	putHooks(t, b.Webhooks(), hook("ep_1"), hook("ep_2", inOrder))
	addHooks(t, b.Webhooks(), at, 10, "a", "b")
	first := claimHooks(t, b.Webhooks(), at, 9)
	require.Len(t, first, 2)
	require.Empty(t, claimHooks(t, b.Webhooks(), at, 9), "its calls are taken")
	require.NoError(t, b.Close())
	s := open(t, file).Webhooks()
	again := claimHooks(t, s, at, 9)
	require.Len(t, again, 2)
	for i, c := range again {
		require.Equal(t, first[i].Message, c.Message)
		require.Equal(t, 1, c.Number, "nobody knows of an attempt")
		require.NoError(t, s.Finish(t.Context(), first[i], tried(first[i], at, "", time.Time{})))
		require.Equal(t, 2, hookStatus(t, s, c.Status.ID).Pending)
		require.NoError(t, s.Finish(t.Context(), c, tried(c, at.Add(time.Second), "", time.Time{})))
		require.Equal(t, 1, hookStatus(t, s, c.Status.ID).Pending)
	}
}

// A file from before there were these stores gets their tables.
func TestAnEarlierSchemaGetsTheHandlersTables(t *testing.T) {
	t.Parallel()
	file := path(t)
	first, err := os.ReadFile("schema/1.sql")
	require.NoError(t, err)
	query(t, file, string(first), "PRAGMA application_id = 0x6e6f7466", "PRAGMA user_version = 1",
		"INSERT INTO records (id, revision, body) VALUES ('n_1', 7, '{}')")
	b := open(t, file)
	r, err := b.Load(t.Context(), "n_1")
	require.NoError(t, err)
	require.EqualValues(t, 7, r.Revision)
	putHooks(t, b.Webhooks(), hook("ep_1"))
	require.NoError(t, b.Suppression().Set(t.Context(), suppression.Entry{
		Key:    suppression.Key{Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: "ann"}},
		Reason: suppression.ByHost, At: now(),
	}))
	require.NoError(t, b.Close())
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	var schema int
	require.NoError(t, db.QueryRow("PRAGMA user_version").Scan(&schema))
	require.Equal(t, sqlite.Version, schema)
}

// An endpoint that somebody else wrote to harms no other, and loses nothing.
func TestAnEndpointThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, change := range []string{`secrets = '["whsec_c2hvcnQ="]'`, `secrets = 'short'`, `types = 'short'`} {
		file, at := path(t), now()
		var log bytes.Buffer
		b := open(t, file, func(c *sqlite.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		s := b.Webhooks()
		putHooks(t, s, hook("ep_1"), hook("ep_2"), hook("ep_3"))
		addHooks(t, s, at, 10, "a", "b")
		query(t, file, "UPDATE webhook_endpoints SET "+change+" WHERE id = 'ep_1'")
		requireUnreadable := func() {
			t.Helper()
			page, err := s.List(t.Context(), webhook.Query{AllTenants: true})
			require.NoError(t, err)
			require.Len(t, page.Endpoints, 3)
			require.Equal(t, hookStatus(t, s, "ep_1"), page.Endpoints[0])
			require.Equal(t, webhook.DisabledUnreadable, page.Endpoints[0].Disabled)
			require.Empty(t, page.Endpoints[0].Secrets)
			require.Empty(t, page.Endpoints[1].Disabled)
			require.Len(t, page.Endpoints[1].Secrets, 1)
		}
		requireUnreadable()
		require.Equal(t, []string{"a", "a"}, claimed(claimHooks(t, s, at, 9)), "of the others")
		requireUnreadable()
		require.Equal(t, at, hookStatus(t, s, "ep_1").DisabledAt.Local(), "so that what it missed can be replayed")
		require.Contains(t, log.String(), "endpoint=ep_1")
		require.NotContains(t, log.String(), "c2hvcnQ")

		putHooks(t, s, hook("ep_1"))
		require.NoError(t, s.Switch(t.Context(), "ep_1", "", at))
		require.Equal(t, 2, hookStatus(t, s, "ep_1").Pending, "nothing is lost")
		require.Equal(t, []string{"a"}, claimed(claimHooks(t, s, at, 9)))
		require.NoError(t, b.Close())
	}
}

// No error has a URL or a secret.
func TestWebhookErrorsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	putHooks(t, b.Webhooks(), hook("ep_1"))
	require.NoError(t, b.Close())
	_, err := b.Webhooks().Get(t.Context(), "ep_1")
	require.ErrorContains(t, err, "sqlite: get a webhook endpoint: ")
	require.NotContains(t, err.Error(), "token")
}
