package sqlite_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/handlers/webhook/webhooktest"
)

func TestWebhooks(t *testing.T) {
	t.Parallel()
	webhooktest.TestStore(t, func(t *testing.T) webhook.Store { return open(t, path(t)).Webhooks() })
}

// A shop's endpoint and messages, as a Sender would store them.

func hook(id string, options ...func(*webhook.Endpoint)) webhook.Endpoint {
	e := webhook.Endpoint{
		ID: id, Tenant: "shop", URL: "https://example.com/?token=1", Secrets: []webhook.Secret{webhook.NewSecret()},
		Types: []string{"sent"}, Concurrency: 4,
	}
	for _, option := range options {
		option(&e)
	}
	return e
}

func inOrder(e *webhook.Endpoint) { e.Ordered = true }

func putHooks(t testing.TB, s webhook.Store, endpoints ...webhook.Endpoint) {
	t.Helper()
	for _, e := range endpoints {
		require.NoError(t, s.Put(t.Context(), e))
	}
}

func addHooks(t testing.TB, s webhook.Store, at time.Time, bytes int, ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := s.Add(t.Context(), webhook.Message{ID: id, Type: "sent", Tenant: "shop", At: at, Body: make([]byte, bytes)})
		require.NoError(t, err)
	}
}

func claimHooks(t testing.TB, s webhook.Store, now time.Time, limit int) []webhook.Claim {
	t.Helper()
	var all []webhook.Claim
	for _, lane := range []webhook.Lane{webhook.Fast, webhook.Slow} {
		claims, _, err := s.Claim(t.Context(), webhook.Claiming{Now: now, Until: now.Add(time.Minute), Lane: lane, Limit: limit})
		require.NoError(t, err)
		all = append(all, claims...)
	}
	return all
}

func claimed(claims []webhook.Claim) (ids []string) {
	for _, c := range claims {
		ids = append(ids, c.Message.ID)
	}
	return ids
}

func hookStatus(t testing.TB, s webhook.Store, id string) webhook.Status {
	t.Helper()
	status, err := s.Get(t.Context(), id)
	require.NoError(t, err)
	return status
}

func tried(c webhook.Claim, at time.Time, failure webhook.Failure, next time.Time) webhook.Outcome {
	return webhook.Outcome{Next: next, Attempt: webhook.Attempt{
		EndpointID: c.Status.ID, MessageID: c.Message.ID, Type: c.Message.Type, Number: c.Number, At: at, Failure: failure, Next: next,
	}}
}

func TestWebhooksKeepTheirCaps(t *testing.T) {
	t.Parallel()
	at := now()
	made := func(option func(*sqlite.Config)) webhook.Store {
		s := open(t, path(t), option).Webhooks()
		putHooks(t, s, hook("ep_1"))
		return s
	}

	s := made(func(c *sqlite.Config) { c.MaxWebhookEndpoints = 2 })
	putHooks(t, s, hook("ep_2"))
	require.ErrorIs(t, s.Put(t.Context(), hook("ep_3")), notify.ErrOverloaded)
	putHooks(t, s, hook("ep_2")) // it may change
	require.NoError(t, s.Delete(t.Context(), "ep_2"))
	putHooks(t, s, hook("ep_3"))

	s = made(func(c *sqlite.Config) { c.MaxWebhookMessages = 3 })
	putHooks(t, s, hook("ep_2", inOrder))
	addHooks(t, s, at, 10, "a")
	require.Len(t, claimHooks(t, s, at, 9), 2)
	addHooks(t, s, at, 10, "b", "c", "d", "e")
	for _, id := range []string{"ep_1", "ep_2"} {
		require.Equal(t, 3, hookStatus(t, s, id).Pending)
		require.EqualValues(t, 2, hookStatus(t, s, id).Dropped)
	}
	require.Equal(t, []string{"c", "c"}, claimed(claimHooks(t, s, at, 9)), "the calls of a are free")
	addHooks(t, s, at, 10, "a")
	require.EqualValues(t, 3, hookStatus(t, s, "ep_1").Dropped, "taken as new, which drops c")
	require.Equal(t, []string{"d", "d"}, claimed(claimHooks(t, s, at, 9)), "and those of c")

	s = made(func(c *sqlite.Config) { c.MaxWebhookBytes = 100 })
	addHooks(t, s, at, 40, "a", "b", "c")
	require.Equal(t, 2, hookStatus(t, s, "ep_1").Pending)
	addHooks(t, s, at, 1000, "d")
	require.Equal(t, 1, hookStatus(t, s, "ep_1").Pending, "one is kept, whatever its size")

	s = made(func(c *sqlite.Config) { c.MaxWebhookPending = 3 })
	addHooks(t, s, at, 10, "a", "b", "c")
	require.Equal(t, []string{"a"}, claimed(claimHooks(t, s, at, 9)))
	addHooks(t, s, at.Add(time.Second), 10, "d", "e")
	status := hookStatus(t, s, "ep_1")
	require.Equal(t, 3, status.Pending)
	require.EqualValues(t, 2, status.Dropped, "b and c: a is being called")
	count, rest, err := s.Replay(t.Context(), "ep_1", time.Time{})
	require.NoError(t, err)
	require.Zero(t, count)
	require.Equal(t, at.Truncate(time.Microsecond).UTC(), rest, "there is no room for b")
}

func TestTheLedgerOfWebhooksKeepsTheLatest(t *testing.T) {
	t.Parallel()
	at := now()
	s := open(t, path(t), func(c *sqlite.Config) { c.MaxWebhookAttempts = 3 }).Webhooks()
	putHooks(t, s, hook("ep_1"), hook("ep_2"))
	addHooks(t, s, at, 10, "a")
	for range 7 {
		for _, c := range claimHooks(t, s, at, 9) {
			require.NoError(t, s.Finish(t.Context(), c, tried(c, at, webhook.FailureStatus, at)))
		}
	}
	for _, id := range []string{"ep_1", "ep_2"} {
		page, err := s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: id, Limit: 2})
		require.NoError(t, err)
		require.Equal(t, 7, page.Attempts[0].Number)
		next, err := s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: id, Limit: 2, After: page.Next})
		require.NoError(t, err)
		require.Len(t, next.Attempts, 1)
		require.Equal(t, 5, next.Attempts[0].Number)
		require.Empty(t, next.Next)
	}
}

// A cap that is lower than it was is reached step by step, and the numbers that
// caps are about are those of the file.
func TestWebhooksUnderALowerCap(t *testing.T) {
	t.Parallel()
	file, at := path(t), now()
	b := open(t, file)
	putHooks(t, b.Webhooks(), hook("ep_1"))
	for i := range 20 {
		addHooks(t, b.Webhooks(), at, 10, fmt.Sprint("m_", i))
	}
	require.NoError(t, b.Close())

	s := open(t, file, func(c *sqlite.Config) { c.MaxWebhookPending, c.MaxWebhookMessages, c.MaxWebhookEndpoints = 5, 7, 1 }).Webhooks()
	require.ErrorIs(t, s.Put(t.Context(), hook("ep_2")), notify.ErrOverloaded)
	addHooks(t, s, at, 10, "last")
	status := hookStatus(t, s, "ep_1")
	require.Equal(t, 5, status.Pending)
	require.EqualValues(t, 16, status.Dropped)
	count, rest, err := s.Replay(t.Context(), "ep_1", at)
	require.NoError(t, err)
	require.Zero(t, count)
	require.False(t, rest.IsZero())
}

// Pages of what did not fit are replayed to the end, though the clock went back
// between messages.
func TestAReplayInParts(t *testing.T) {
	t.Parallel()
	at := time.Now().Truncate(time.Millisecond)
	s := open(t, path(t), func(c *sqlite.Config) { c.MaxWebhookPending = 4 }).Webhooks()
	putHooks(t, s, hook("other"))
	for i := range 10 {
		addHooks(t, s, at.Add(time.Duration(i*7%10)*time.Second), 10, fmt.Sprint("m_", i))
	}
	putHooks(t, s, hook("ep_1", inOrder))
	got := map[string]bool{}
	for rest := at; !rest.IsZero(); {
		count, next, err := s.Replay(t.Context(), "ep_1", rest)
		require.NoError(t, err)
		require.Positive(t, count)
		require.True(t, next.IsZero() || next.After(rest))
		rest = next
		for hookStatus(t, s, "ep_1").Pending > 0 {
			for _, c := range claimHooks(t, s, at.Add(time.Hour), 100) {
				require.NoError(t, s.Finish(t.Context(), c, tried(c, at, "", time.Time{})))
				if c.Status.ID == "ep_1" {
					require.False(t, got[c.Message.ID])
					got[c.Message.ID] = true
				}
			}
		}
	}
	require.Len(t, got, 10)
}

// A cap that was lowered is reached, in steps.
func TestALoweredCapOfWaitingWebhooks(t *testing.T) {
	t.Parallel()
	const many = 1500 // more than a step
	file, at := path(t), now()
	b := open(t, file)
	putHooks(t, b.Webhooks(), hook("ep_1"))
	addHooks(t, b.Webhooks(), at, 1, "first")
	var running sync.WaitGroup
	for worker := range 10 {
		running.Go(func() {
			for i := range many / 10 {
				_, err := b.Webhooks().Add(t.Context(), webhook.Message{ID: fmt.Sprint("m_", worker, "_", i), Type: "sent", Tenant: "shop", At: at})
				if err != nil {
					t.Errorf("Add: %v", err)
				}
			}
		})
	}
	running.Wait()
	require.NoError(t, b.Close())

	s := open(t, file, func(c *sqlite.Config) { c.MaxWebhookPending = 10 }).Webhooks()
	called := claimHooks(t, s, at, 1)
	require.Equal(t, []string{"first"}, claimed(called))
	adds := 0
	for ; hookStatus(t, s, "ep_1").Pending > 10; adds++ {
		require.Less(t, adds, 100, "it is never reached")
		addHooks(t, s, at, 1, fmt.Sprint("new_", adds))
	}
	require.Greater(t, adds, 1, "in steps")
	require.EqualValues(t, 1+many+adds-10, hookStatus(t, s, "ep_1").Dropped)
	require.NoError(t, s.Finish(t.Context(), called[0], tried(called[0], at, "", time.Time{})))
	require.Equal(t, 9, hookStatus(t, s, "ep_1").Pending, "what was being called is kept")
}

// now has no more than the microseconds that are kept.
func now() time.Time { return time.Now().Truncate(time.Microsecond) }

// Endpoints that are disabled, held, or have all their calls leased, however long
// their messages have been due, take no turn from one that is ready.
func TestBlockedEndpointsTakeNoTurn(t *testing.T) {
	t.Parallel()
	at := now()
	s := open(t, path(t)).Webhooks()
	for i := range 60 {
		putHooks(t, s, hook(fmt.Sprintf("ep_%02d", i)))
	}
	addHooks(t, s, at.Add(-time.Hour), 10, "a", "b")
	for i, c := range claimHooks(t, s, at, 60) { // each has one call, which is leased for a minute
		switch o := tried(c, at, webhook.FailureStatus, at); i % 3 {
		case 0:
			o.Hold = at.Add(time.Hour)
			require.NoError(t, s.Finish(t.Context(), c, o))
		case 1:
			o.Disable = webhook.DisabledGone
			require.NoError(t, s.Finish(t.Context(), c, o))
		}
	}
	putHooks(t, s, hook("ready"))
	addHooks(t, s, at, 10, "c")
	got, next, err := s.Claim(t.Context(), webhook.Claiming{Now: at, Until: at.Add(time.Second), Lane: webhook.Slow, Limit: 64})
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, claimed(got))
	require.Equal(t, "ready", got[0].Status.ID)
	require.Equal(t, at.Add(time.Second).UTC(), next, "when the lease of c ends")
	later, next, err := s.Claim(t.Context(), webhook.Claiming{Now: at.Add(59 * time.Second), Until: at.Add(2 * time.Hour), Lane: webhook.Slow, Limit: 64})
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, claimed(later))
	require.Equal(t, at.Add(time.Minute).UTC(), next, "when those leases end")
	require.Len(t, claimHooks(t, s, at.Add(time.Minute), 64), 20, "one each")
	require.Len(t, claimHooks(t, s, at.Add(time.Hour), 64), 40, "theirs again, and of those that were held")
}
