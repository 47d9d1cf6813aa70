package webhook_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/handlers/webhook/webhooktest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	webhooktest.TestStore(t, func(*testing.T) webhook.Store { return webhook.NewMemory() })
}

func message(id string, at time.Time, bytes int) webhook.Message {
	return webhook.Message{ID: id, Type: delivered, Tenant: "shop", At: at, Body: make([]byte, bytes)}
}

func ofShop(id string) webhook.Endpoint {
	return webhook.Endpoint{ID: id, Tenant: "shop", URL: "https://example.com/", Secrets: []webhook.Secret{webhook.NewSecret()}, Types: []string{delivered}}
}

func TestMemoryKeepsItsCaps(t *testing.T) {
	t.Parallel()
	at := time.Now()
	add := func(m *webhook.Memory, bytes int, ids ...string) {
		t.Helper()
		for _, id := range ids {
			_, err := m.Add(t.Context(), message(id, at, bytes))
			require.NoError(t, err)
		}
	}
	status := func(m *webhook.Memory) webhook.Status {
		t.Helper()
		s, err := m.Get(t.Context(), "ep_1")
		require.NoError(t, err)
		return s
	}
	claim := func(m *webhook.Memory) webhook.Claim {
		t.Helper()
		claims, _, err := m.Claim(t.Context(), webhook.Claiming{Now: at, Until: at.Add(time.Hour), Lane: webhook.Slow, Limit: 1})
		require.NoError(t, err)
		require.Len(t, claims, 1)
		return claims[0]
	}
	replay := func(m *webhook.Memory) (int, time.Time) {
		t.Helper()
		count, rest, err := m.Replay(t.Context(), "ep_1", time.Time{})
		require.NoError(t, err)
		return count, rest
	}
	made := func(option func(*webhook.MemoryConfig)) *webhook.Memory {
		m := webhook.NewMemory(option)
		require.NoError(t, m.Put(t.Context(), ofShop("ep_1")))
		return m
	}

	m := made(func(c *webhook.MemoryConfig) { c.Endpoints = 2 })
	require.NoError(t, m.Put(t.Context(), ofShop("ep_2")))
	require.ErrorIs(t, m.Put(t.Context(), ofShop("ep_3")), notify.ErrOverloaded)
	require.NoError(t, m.Put(t.Context(), ofShop("ep_2")), "it may change")
	require.NoError(t, m.Delete(t.Context(), "ep_2"))
	require.NoError(t, m.Put(t.Context(), ofShop("ep_3")))

	m = made(func(c *webhook.MemoryConfig) { c.Messages = 3 })
	add(m, 10, "a", "b", "c", "d", "e")
	require.Equal(t, 3, status(m).Pending)
	require.EqualValues(t, 2, status(m).Dropped)
	require.Equal(t, "c", claim(m).Message.ID)
	add(m, 10, "a")
	require.EqualValues(t, 3, status(m).Dropped, "taken as new, which drops c")

	m = made(func(c *webhook.MemoryConfig) { c.Bytes = 100 })
	add(m, 40, "a", "b", "c")
	require.Equal(t, 2, status(m).Pending)
	add(m, 1000, "d")
	require.Equal(t, 1, status(m).Pending, "one is kept, whatever its size")

	m = made(func(c *webhook.MemoryConfig) { c.Pending = 3 })
	add(m, 10, "a", "b", "c")
	require.Equal(t, "a", claim(m).Message.ID)
	add(m, 10, "d", "e")
	s := status(m)
	require.Equal(t, 3, s.Pending)
	require.EqualValues(t, 2, s.Dropped, "b and c: a is being called")
	count, rest := replay(m)
	require.Zero(t, count)
	require.True(t, rest.Equal(at), "there is no room for b")

	m = made(func(c *webhook.MemoryConfig) { c.Attempts = 3 })
	add(m, 10, "a")
	for i := range 7 {
		c := claim(m)
		require.NoError(t, m.Finish(t.Context(), c, webhook.Outcome{Attempt: webhook.Attempt{Number: i + 1, At: at, Failure: webhook.FailureStatus}, Next: at}))
	}
	page, err := m.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "ep_1", Limit: 2})
	require.NoError(t, err)
	require.Equal(t, 7, page.Attempts[0].Number)
	next, err := m.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "ep_1", Limit: 2, After: page.Next})
	require.NoError(t, err)
	require.Len(t, next.Attempts, 1)
	require.Equal(t, 5, next.Attempts[0].Number)
	require.Empty(t, next.Next)
}

// What does not fit is replayed later, all of it, though the clock went back
// between messages.
func TestMemoryReplaysInParts(t *testing.T) {
	t.Parallel()
	at := time.Now()
	m := webhook.NewMemory(func(c *webhook.MemoryConfig) { c.Pending = 4 })
	require.NoError(t, m.Put(t.Context(), ofShop("other")))
	for i := range 10 {
		_, err := m.Add(t.Context(), message(fmt.Sprint("m_", i), at.Add(time.Duration(i*7%10)*time.Second), 10))
		require.NoError(t, err)
	}
	require.NoError(t, m.Put(t.Context(), ofShop("ep_1")))
	var got []string
	for rest := at; !rest.IsZero(); {
		_, next, err := m.Replay(t.Context(), "ep_1", rest)
		require.NoError(t, err)
		rest = next
		for claims := []webhook.Claim{{}}; len(claims) > 0; {
			claims, _, err = m.Claim(t.Context(), webhook.Claiming{Now: at.Add(time.Hour), Until: at.Add(2 * time.Hour), Lane: webhook.Slow, Limit: 1})
			require.NoError(t, err)
			for _, c := range claims {
				require.NoError(t, m.Finish(t.Context(), c, webhook.Outcome{Attempt: webhook.Attempt{At: at, Failure: webhook.FailureStatus}}))
				if c.Status.ID == "ep_1" {
					got = append(got, c.Message.ID)
				}
			}
		}
	}
	require.ElementsMatch(t, []string{"m_0", "m_1", "m_2", "m_3", "m_4", "m_5", "m_6", "m_7", "m_8", "m_9"}, got)
}

// BenchmarkMemory adds a message that ten endpoints want, among a thousand, and
// delivers it.
func BenchmarkMemory(b *testing.B) {
	m := webhook.NewMemory()
	for i := range 1000 {
		e := ofShop(fmt.Sprint("ep_", i))
		e.Tenant = fmt.Sprint("shop_", i/10)
		require.NoError(b, m.Put(b.Context(), e))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now := time.Now()
		one := message(fmt.Sprint("e_", i), now, 500)
		one.Tenant = fmt.Sprint("shop_", i%100)
		_, err := m.Add(b.Context(), one)
		require.NoError(b, err)
		for _, lane := range []webhook.Lane{webhook.Fast, webhook.Slow} {
			claims, _, err := m.Claim(b.Context(), webhook.Claiming{Now: now, Until: now.Add(time.Minute), Lane: lane, Limit: 64})
			require.NoError(b, err)
			for _, c := range claims {
				require.NoError(b, m.Finish(b.Context(), c, webhook.Outcome{Attempt: webhook.Attempt{At: now}}))
			}
		}
	}
}
