package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/suppression/suppressiontest"
	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/handlers/webhook/webhooktest"
)

func TestWebhook(t *testing.T) {
	t.Parallel()
	webhooktest.TestStore(t, func(t *testing.T) webhook.Store { return records(t, schema(t)).Webhooks() })
}

// Behind a pooler that keeps no prepared statements, whatever isolation the database
// has by default, and of a backend.
func TestHandlersOverOddConnections(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{
		"default_query_exec_mode=exec",
		"default_query_exec_mode=simple_protocol default_transaction_isolation=serializable",
	} {
		t.Run(odd, func(t *testing.T) {
			plain := func(t *testing.T) *postgres.Backend {
				b := postgres.New(dsn+" "+odd, schema(t))
				t.Cleanup(func() { require.NoError(t, b.Close()) })
				return b
			}
			webhooktest.TestStore(t, func(t *testing.T) webhook.Store { return plain(t).Webhooks() })
			suppressiontest.TestStore(t, func(t *testing.T) suppression.Store { return plain(t).Suppression() })
		})
	}
}

func TestWebhooksHaveCaps(t *testing.T) {
	t.Parallel()
	made := func(option func(*postgres.Config)) webhook.Store {
		s := records(t, schema(t), option).Webhooks()
		require.NoError(t, s.Put(t.Context(), endpointOf("ep_1")))
		return s
	}
	add := func(s webhook.Store, bytes int, ids ...string) {
		t.Helper()
		for _, id := range ids {
			m := webhookMessage(id, noon)
			m.Body = make([]byte, bytes)
			_, err := s.Add(t.Context(), m)
			require.NoError(t, err)
		}
	}
	status := func(s webhook.Store) webhook.Status {
		t.Helper()
		status, err := s.Get(t.Context(), "ep_1")
		require.NoError(t, err)
		return status
	}
	claim := func(s webhook.Store) webhook.Claim {
		t.Helper()
		claims := claimAt(t, s, webhook.Slow, noon, 1)
		require.Len(t, claims, 1)
		return claims[0]
	}

	s := made(func(c *postgres.Config) { c.MaxWebhookEndpoints = 2 })
	require.NoError(t, s.Put(t.Context(), endpointOf("ep_2")))
	require.ErrorIs(t, s.Put(t.Context(), endpointOf("ep_3")), notify.ErrOverloaded)
	require.NoError(t, s.Put(t.Context(), endpointOf("ep_2")), "it may change")
	require.NoError(t, s.Delete(t.Context(), "ep_2"))
	require.NoError(t, s.Put(t.Context(), endpointOf("ep_3")))

	s = made(func(c *postgres.Config) { c.MaxWebhookMessages = 3 })
	add(s, 10, "a", "b", "c", "d", "e")
	require.Equal(t, 3, status(s).Pending)
	require.EqualValues(t, 2, status(s).Dropped)
	require.Equal(t, "c", claim(s).Message.ID)
	add(s, 10, "a")
	require.EqualValues(t, 3, status(s).Dropped, "taken as new, which drops c")
	require.Equal(t, "d", claim(s).Message.ID, "the call of c counts no longer")

	s = made(func(c *postgres.Config) { c.MaxWebhookBytes = 100 })
	add(s, 40, "a", "b", "c")
	require.Equal(t, 2, status(s).Pending)
	add(s, 1000, "d")
	add(s, 1000, "e")
	require.Equal(t, 2, status(s).Pending, "the last one is kept, whatever its size, and the new one")

	s = made(func(c *postgres.Config) { c.MaxWebhookPending = 3 })
	add(s, 10, "a", "b", "c")
	require.Equal(t, "a", claim(s).Message.ID)
	add(s, 10, "d", "e")
	require.Equal(t, 3, status(s).Pending)
	require.EqualValues(t, 2, status(s).Dropped, "b and c: a is being called")
	count, rest, err := s.Replay(t.Context(), "ep_1", time.Time{})
	require.NoError(t, err)
	require.Zero(t, count)
	require.True(t, rest.Equal(noon), "there is no room for b")

	s = made(func(c *postgres.Config) { c.MaxWebhookAttempts = 3 })
	add(s, 10, "a")
	for i := range 7 {
		c := claim(s)
		o := outcome(c, noon, webhook.FailureStatus)
		require.Equal(t, i+1, c.Number)
		o.Next = noon
		require.NoError(t, s.Finish(t.Context(), c, o))
	}
	page, err := s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "ep_1", Limit: 2})
	require.NoError(t, err)
	require.Equal(t, 7, page.Attempts[0].Number)
	next, err := s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "ep_1", Limit: 2, After: page.Next})
	require.NoError(t, err)
	require.Len(t, next.Attempts, 1)
	require.Equal(t, 5, next.Attempts[0].Number)
	require.Empty(t, next.Next)
}

// A cap that was lowered is reached, in steps.
func TestALoweredCapOfWaitingMessages(t *testing.T) {
	t.Parallel()
	named := schema(t)
	const many = 2500 // more than a step
	before := records(t, named).Webhooks()
	for _, id := range []string{"ep_1", "ep_2"} {
		require.NoError(t, before.Put(t.Context(), endpointOf(id, func(e *webhook.Endpoint) { e.Ordered = id == "ep_2" })))
	}
	_, err := before.Add(t.Context(), webhookMessage("first", noon))
	require.NoError(t, err)
	_, err = connect(t).Exec(t.Context(), fmt.Sprintf(`
with m as (
  insert into %[1]s.webhook_message (id, type, tenant, at, bytes, body) select 'm_' || n, $1, 'shop', $2, 0, '' from generate_series(1, %[2]d) n returning number
), d as (
  insert into %[1]s.webhook_delivery (endpoint, number, due) select e.id, m.number, $2 from m, %[1]s.webhook_endpoint e
)
update %[1]s.webhook_endpoint set pending = pending + %[2]d`, schemaOf(named), many), sentType, noon)
	require.NoError(t, err)
	called := claimAt(t, before, webhook.Slow, noon, 2)
	require.Len(t, called, 2)

	s := records(t, named, func(c *postgres.Config) { c.MaxWebhookPending = 10 }).Webhooks()
	status := func(id string) webhook.Status {
		status, err := s.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, count(t, named, "webhook_delivery where endpoint = '"+id+"'"), status.Pending)
		return status
	}
	adds := 0
	for ; status("ep_1").Pending > 10 || status("ep_2").Pending > 10; adds++ {
		require.Less(t, adds, 100, "it is never reached")
		_, err := s.Add(t.Context(), webhookMessage(fmt.Sprint("new_", adds), noon))
		require.NoError(t, err)
	}
	require.Greater(t, adds, 1, "in steps")
	for _, id := range []string{"ep_1", "ep_2"} {
		require.EqualValues(t, 1+many+adds-10, status(id).Dropped)
	}
	for _, c := range called {
		require.NoError(t, s.Finish(t.Context(), c, outcome(c, noon, "")))
		require.Equal(t, 9, status(c.Status.ID).Pending, "what was being called is kept")
	}
}

// What there was no room for is replayed from where it stopped.
func TestAReplayGoesOn(t *testing.T) {
	t.Parallel()
	s := records(t, schema(t), func(c *postgres.Config) { c.MaxWebhookPending = 10 }).Webhooks()
	require.NoError(t, s.Put(t.Context(), endpointOf("other")))
	for i := range 25 {
		m := webhookMessage(fmt.Sprintf("m_%02d", i), noon.Add(time.Duration((i*7)%25)*time.Minute)) // not in the order of their times
		_, err := s.Add(t.Context(), m)
		require.NoError(t, err)
	}
	require.NoError(t, s.Put(t.Context(), endpointOf("ep_1")))
	require.NoError(t, s.Delete(t.Context(), "other"))
	got := map[string]bool{}
	now := noon.Add(time.Hour)
	for from := noon; !from.IsZero(); {
		count, rest, err := s.Replay(t.Context(), "ep_1", from)
		require.NoError(t, err)
		require.LessOrEqual(t, count, 10)
		for pending := count; pending > 0; {
			claims := append(claimAt(t, s, webhook.Fast, now, 10), claimAt(t, s, webhook.Slow, now, 10)...)
			for _, c := range claims {
				require.False(t, got[c.Message.ID])
				got[c.Message.ID] = true
				require.NoError(t, s.Finish(t.Context(), c, outcome(c, now, "")))
			}
			require.NotEmpty(t, claims)
			pending -= len(claims)
		}
		from = rest
	}
	require.Len(t, got, 25)
}
