package webhooktest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

func checkAdd(t *testing.T, s webhook.Store) {
	put(
		t, s, endpoint("ep_1"), endpoint("ep_2", ordered),
		endpoint("other_type", func(e *webhook.Endpoint) { e.Types = []string{failed} }),
		endpoint("other_tenant", func(e *webhook.Endpoint) { e.Tenant = "bank" }),
		endpoint("no_tenant", func(e *webhook.Endpoint) { e.Tenant = "" }),
	)
	count, err := s.Add(t.Context(), message("m_1", 0))
	require.NoError(t, err)
	require.Equal(t, 2, count)
	require.ElementsMatch(t, []string{"ep_1 m_1 #1", "ep_2 m_1 #1"}, names(claim(t, s, 0, 10)))

	alone := message("m_2", 1)
	alone.Tenant = ""
	count, err = s.Add(t.Context(), alone)
	require.NoError(t, err)
	require.Equal(t, 1, count)
	require.Equal(t, []string{"no_tenant m_2 #1"}, names(claim(t, s, 1, 10)))

	nobodys := message("m_3", 2)
	nobodys.Type = "notify.opened.v1"
	count, err = s.Add(t.Context(), nobodys)
	require.NoError(t, err)
	require.Zero(t, count)
}

func checkRepeats(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"))
	add(t, s, "m_1", "m_1")
	put(t, s, endpoint("later"))
	add(t, s, "m_1")
	c := claim(t, s, 0, 10)
	require.Equal(t, []string{"ep_1 m_1 #1"}, names(c))
	add(t, s, "m_1")
	succeed(t, s, c[0], 0)
	add(t, s, "m_1")
	require.Empty(t, claim(t, s, 20, 10))
	require.Zero(t, get(t, s, "ep_1").Pending)
}

func checkLease(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"))
	none, next := claimIn(t, s, webhook.Slow, 0, 10)
	require.Empty(t, none)
	require.True(t, next.IsZero())
	_, err := s.Add(t.Context(), message("m_1", 5))
	require.NoError(t, err)
	none, next = claimIn(t, s, webhook.Slow, 4, 10)
	require.Empty(t, none)
	require.Equal(t, at(5), next.UTC())
	first, next := claimIn(t, s, webhook.Slow, 5, 10)
	require.Equal(t, []string{"ep_1 m_1 #1"}, names(first))
	require.False(t, next.IsZero())
	none, next = claimIn(t, s, webhook.Slow, 14, 10)
	require.Empty(t, none)
	require.Equal(t, at(15), next.UTC())
	second, _ := claimIn(t, s, webhook.Slow, 15, 10)
	require.Equal(t, []string{"ep_1 m_1 #1"}, names(second))
	require.NotEqual(t, first[0].Token, second[0].Token)
	fail(t, s, second[0], 15, 20)
	_, next = claimIn(t, s, webhook.Slow, 19, 10)
	require.Equal(t, at(20), next.UTC())
	third, _ := claimIn(t, s, webhook.Slow, 20, 10)
	require.Equal(t, []string{"ep_1 m_1 #2"}, names(third))
	succeed(t, s, third[0], 21)
	none, next = claimIn(t, s, webhook.Slow, 100, 10)
	require.Empty(t, none)
	require.True(t, next.IsZero())
}

func checkLostClaim(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"))
	add(t, s, "m_1")
	lost := claim(t, s, 0, 1)[0]
	held := claim(t, s, 10, 1)[0]
	require.NoError(t, s.Finish(t.Context(), lost, webhook.Outcome{
		Attempt: attempt(lost, 9, webhook.FailureGone), Hold: at(50), Disable: webhook.DisabledGone, Slow: true,
	}))
	require.Equal(t, webhook.Status{Endpoint: held.Status.Endpoint, Pending: 1}, get(t, s, "ep_1"))
	succeed(t, s, held, 11)
	require.Zero(t, get(t, s, "ep_1").Pending)
	fail(t, s, held, 11, 12) // again, which it must not
	require.Empty(t, claim(t, s, 30, 1))
	require.Len(t, attempts(t, s, "ep_1"), 3, "the ledger has them all")
}

// As after a Finish whose answer was lost.
func checkRepeatedFinish(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"))
	add(t, s, "m_1", "m_2")
	first := claim(t, s, 1, 1)[0]
	fail(t, s, first, 1, 2)
	once := get(t, s, "ep_1")
	fail(t, s, first, 1, 2)
	require.Equal(t, once, get(t, s, "ep_1"))
	require.Len(t, attempts(t, s, "ep_1"), 1)

	second := claim(t, s, 2, 1)[0]
	require.Equal(t, []string{"ep_1 m_2 #1"}, names([]webhook.Claim{second}), "what is due the longest")
	succeed(t, s, second, 2)
	again := claim(t, s, 3, 1)[0]
	require.Equal(t, []string{"ep_1 m_1 #2"}, names([]webhook.Claim{again}))
	fail(t, s, first, 1, 2) // which comes late
	require.Empty(t, claim(t, s, 4, 1), "it is leased still")
	require.True(t, get(t, s, "ep_1").FailingSince.IsZero(), "a success has come since")
	for range 3 {
		succeed(t, s, again, 4)
		require.Zero(t, get(t, s, "ep_1").Pending)
	}
	require.Len(t, attempts(t, s, "ep_1"), 3)

	// What is the same but for its time is another.
	_, _, err := s.Replay(t.Context(), "ep_1", at(1))
	require.NoError(t, err)
	replayed := claim(t, s, 50, 1)[0]
	require.Equal(t, []string{"ep_1 m_2 #1"}, names([]webhook.Claim{replayed}))
	for range 2 {
		succeed(t, s, replayed, 50)
	}
	require.Len(t, attempts(t, s, "ep_1"), 4)
}

// What an endpoint answered where it was before is not held against it.
func checkOldURL(t *testing.T, s webhook.Store) {
	moved := func(e *webhook.Endpoint) { e.URL = "https://example.com/moved" }
	for i, o := range []webhook.Outcome{
		{Attempt: webhook.Attempt{Failure: webhook.FailureGone}, Disable: webhook.DisabledGone},
		{Attempt: webhook.Attempt{Failure: webhook.FailureTimeout}, Hold: at(500), Next: at(100), Slow: true},
		{},
	} {
		id := fmt.Sprint("ep_", i)
		e := endpoint(id, func(e *webhook.Endpoint) { e.Tenant = id })
		put(t, s, e)
		m := message("m_"+id, 0)
		m.Tenant = id
		_, err := s.Add(t.Context(), m)
		require.NoError(t, err)
		c := claim(t, s, 0, 1)[0]
		moved(&e)
		put(t, s, e)
		made := attempt(c, 1, o.Attempt.Failure)
		made.Next, o.Attempt = o.Next, made
		require.NoError(t, s.Finish(t.Context(), c, o))
		want := webhook.Status{Endpoint: e}
		if !o.Next.IsZero() {
			want.Pending = 1
		}
		require.Equal(t, want, get(t, s, id))
		require.Len(t, attempts(t, s, id), 1)
		require.NoError(t, s.Delete(t.Context(), id))
	}
}

func attempts(t *testing.T, s webhook.Store, id string) []webhook.Attempt {
	t.Helper()
	page, err := s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: id})
	require.NoError(t, err)
	return page.Attempts
}

func checkOrdered(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1", ordered))
	prove(t, s, "ep_1")
	add(t, s, "m_1", "m_2", "m_3")
	c := claim(t, s, 3, 10)
	require.Equal(t, []string{"ep_1 m_1 #1"}, names(c))
	require.Empty(t, claim(t, s, 3, 10))
	fail(t, s, c[0], 3, 30)
	require.Empty(t, claim(t, s, 29, 10), "the others wait for the first")
	c = claim(t, s, 30, 10)
	require.Equal(t, []string{"ep_1 m_1 #2"}, names(c))
	succeed(t, s, c[0], 30)
	c = claim(t, s, 30, 10)
	require.Equal(t, []string{"ep_1 m_2 #1"}, names(c))
	// Given up, the next follows.
	require.NoError(t, s.Finish(t.Context(), c[0], webhook.Outcome{Attempt: attempt(c[0], 31, webhook.FailureStatus)}))
	require.Equal(t, []string{"ep_1 m_3 #1"}, names(claim(t, s, 31, 10)))
}

func checkFree(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"))
	prove(t, s, "ep_1")
	add(t, s, "m_1", "m_2", "m_3", "m_4", "m_5")
	c := claim(t, s, 10, 10)
	require.Equal(t, []string{"ep_1 m_1 #1", "ep_1 m_2 #1", "ep_1 m_3 #1"}, names(c), "its concurrency is 3")
	require.Empty(t, claim(t, s, 10, 10))
	succeed(t, s, c[1], 11)
	require.Equal(t, []string{"ep_1 m_4 #1"}, names(claim(t, s, 11, 10)))
	fail(t, s, c[0], 12, 60)
	succeed(t, s, c[2], 12)
	require.Equal(t, []string{"ep_1 m_5 #1"}, names(claim(t, s, 13, 10)), "m_1 waits, and holds up nothing")
}

func checkFailing(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"))
	add(t, s, "m_1", "m_2", "m_3", "m_4")
	c := claim(t, s, 5, 10)
	require.Equal(t, []string{"ep_1 m_1 #1"}, names(c), "it has not proven itself")
	succeed(t, s, c[0], 5)
	c = claim(t, s, 5, 10)
	require.Len(t, c, 3)
	fail(t, s, c[0], 6, 7)
	require.Empty(t, claim(t, s, 7, 10), "two are leased still")
	fail(t, s, c[1], 7, 8)
	require.Equal(t, at(6), get(t, s, "ep_1").FailingSince.UTC(), "since the first")
	fail(t, s, c[2], 8, 9)
	c = claim(t, s, 9, 10)
	require.Equal(t, []string{"ep_1 m_2 #2"}, names(c))
	require.Empty(t, claim(t, s, 9, 10))
	succeed(t, s, c[0], 10)
	require.True(t, get(t, s, "ep_1").FailingSince.IsZero())
	require.Equal(t, []string{"ep_1 m_3 #2", "ep_1 m_4 #2"}, names(claim(t, s, 10, 10)))
}

func checkLanes(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"), endpoint("ep_2"), endpoint("ep_3"), endpoint("ep_4"))
	add(t, s, "m_1")
	for _, c := range claim(t, s, 0, 10) {
		switch c.Status.ID {
		case "ep_1":
			succeed(t, s, c, 0)
		case "ep_2":
			require.NoError(t, s.Finish(t.Context(), c, webhook.Outcome{Attempt: attempt(c, 0, ""), Slow: true}))
		case "ep_3":
			fail(t, s, c, 0, 1000)
		} // and ep_4 holds its claim
	}
	add(t, s, "m_2", "m_3", "m_4")
	lane := func(l webhook.Lane) []string {
		claims, _ := claimIn(t, s, l, 5, 100)
		return names(claims)
	}
	require.Equal(t, []string{"ep_1 m_2 #1", "ep_1 m_3 #1", "ep_1 m_4 #1"}, lane(webhook.Fast))
	require.ElementsMatch(t, []string{"ep_2 m_2 #1", "ep_2 m_3 #1", "ep_2 m_4 #1", "ep_3 m_2 #1"}, lane(webhook.Slow))
}

func checkFairness(t *testing.T, s webhook.Store) {
	for i := range 4 {
		e := endpoint(fmt.Sprint("ep_", i), func(e *webhook.Endpoint) { e.Types = []string{fmt.Sprint("type_", i)} })
		put(t, s, e)
		prove(t, s, e.ID)
	}
	for i, minute := range []int{7, 3, 9, 1} {
		for k := range 20 {
			m := message(fmt.Sprint("m_", i, "_", k), minute+10*k)
			m.Type = fmt.Sprint("type_", i)
			_, err := s.Add(t.Context(), m)
			require.NoError(t, err)
		}
	}
	var got []string
	for range 3 {
		got = append(got, names(claim(t, s, 300, 2))...)
	}
	require.Equal(t, []string{"ep_3 m_3_0 #1", "ep_1 m_1_0 #1", "ep_0 m_0_0 #1", "ep_2 m_2_0 #1", "ep_3 m_3_1 #1", "ep_1 m_1_1 #1"}, got)
	_, next := claimIn(t, s, webhook.Fast, 300, 1)
	require.False(t, next.IsZero())
	require.False(t, next.After(at(300)), "there is more already")
}

func checkHold(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"), endpoint("ep_2"))
	add(t, s, "m_1", "m_2")
	for _, c := range claim(t, s, 1, 10) {
		o := webhook.Outcome{Attempt: attempt(c, 1, webhook.FailureStatus), Next: at(2)}
		if c.Status.ID == "ep_1" {
			o.Hold = at(30)
		}
		require.NoError(t, s.Finish(t.Context(), c, o))
	}
	require.Equal(t, []string{"ep_2 m_2 #1"}, names(claim(t, s, 2, 10)))
	_, next := claimIn(t, s, webhook.Slow, 3, 10)
	require.Equal(t, at(12), next.UTC(), "the end of ep_2's lease")
	require.Equal(t, []string{"ep_2 m_1 #2"}, names(claim(t, s, 29, 10)))
	require.Equal(t, []string{"ep_1 m_2 #1"}, names(claim(t, s, 30, 10)))
}

func checkReplay(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1", ordered))
	foreign := message("foreign", 1)
	foreign.Tenant = "bank"
	put(t, s, endpoint("bank", func(e *webhook.Endpoint) { e.Tenant = "bank" }))
	_, err := s.Add(t.Context(), foreign)
	require.NoError(t, err)
	add(t, s, "m_0", "m_1", "m_2", "m_3")
	for range 3 {
		for _, c := range claim(t, s, 5, 1) {
			succeed(t, s, c, 5)
		}
	}
	pending := claim(t, s, 6, 1)
	require.Equal(t, []string{"ep_1 m_3 #1"}, names(pending))
	fail(t, s, pending[0], 6, 7)
	require.NoError(t, s.Switch(t.Context(), "ep_1", webhook.DisabledByHost, at(7)))
	_, err = s.Add(t.Context(), message("m_4", 8)) // missed
	require.NoError(t, err)

	count, rest, err := s.Replay(t.Context(), "ep_1", at(1))
	require.NoError(t, err)
	require.Equal(t, 3, count, "m_1, m_2 and m_4: m_3 waits already")
	require.True(t, rest.IsZero())
	require.Empty(t, claim(t, s, 9, 1), "it is disabled still")
	require.NoError(t, s.Switch(t.Context(), "ep_1", "", at(9)))
	var got []string
	for range 4 {
		c := claim(t, s, 9, 1)
		got = append(got, names(c)...)
		require.Len(t, c, 1)
		succeed(t, s, c[0], 9)
	}
	require.Equal(t, []string{"ep_1 m_1 #1", "ep_1 m_2 #1", "ep_1 m_3 #2", "ep_1 m_4 #1"}, got)

	put(t, s, endpoint("later"))
	count, _, err = s.Replay(t.Context(), "later", time.Time{})
	require.NoError(t, err)
	require.Equal(t, 5, count)
	count, _, err = s.Replay(t.Context(), "later", at(9))
	require.NoError(t, err)
	require.Zero(t, count)
}

func checkConcurrency(t *testing.T, s webhook.Store) {
	const endpoints, messages = 4, 100
	for i := range endpoints {
		put(t, s, endpoint(fmt.Sprint("ep_", i), func(e *webhook.Endpoint) { e.Ordered = i%2 == 0 }))
	}
	var mu sync.Mutex
	taken := map[string]int{}
	orders := map[string][]string{}
	done := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(taken) == endpoints*messages
	}
	var running sync.WaitGroup
	running.Go(func() {
		for i := range messages {
			if _, err := s.Add(t.Context(), message(fmt.Sprintf("m_%03d", i), 0)); err != nil {
				t.Errorf("Add: %v", err)
			}
		}
	})
	for w := range 6 {
		running.Go(func() {
			for deadline := time.Now().Add(5 * time.Minute); !done() && time.Now().Before(deadline); {
				claims, _, err := s.Claim(t.Context(), webhook.Claiming{Now: at(1), Until: at(10), Lane: webhook.Lane(w % 2), Limit: 3})
				if err != nil {
					t.Errorf("Claim: %v", err)
					return
				}
				if len(claims) == 0 {
					time.Sleep(time.Millisecond) // let the others have the machine
				}
				for _, c := range claims {
					mu.Lock()
					taken[c.Status.ID+" "+c.Message.ID]++
					orders[c.Status.ID] = append(orders[c.Status.ID], c.Message.ID)
					mu.Unlock()
					if err := s.Finish(t.Context(), c, webhook.Outcome{Attempt: attempt(c, 1, "")}); err != nil {
						t.Errorf("Finish: %v", err)
					}
				}
			}
		})
	}
	running.Wait()
	require.Len(t, taken, endpoints*messages)
	for delivery, times := range taken {
		require.Equal(t, 1, times, delivery)
	}
	for _, id := range []string{"ep_0", "ep_2"} {
		require.IsIncreasing(t, orders[id], id)
	}
}
