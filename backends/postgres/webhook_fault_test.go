package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// behind returns a store whose connections go through a proxy. Statements travel
// as text.
func behind(t *testing.T, named func(*postgres.Config), opts ...func(*postgres.Config)) (webhook.Store, *proxy) {
	t.Helper()
	if server == nil {
		t.Skip("no server of our own: ", missing)
	}
	p := newProxy(t)
	p.up()
	s := postgres.Records(p.dsn()+" default_query_exec_mode=exec", append(opts, named)...)
	t.Cleanup(func() {
		p.down()
		require.NoError(t, s.Close())
	})
	return s.Webhooks(), p
}

// A connection ends before a transaction is committed, or before its caller hears
// of it. The caller does it again.
func TestACallThatIsCutOff(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"before": "commit", "after": "COMMIT"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := behind(t, schema(t))
			require.NoError(t, s.Put(t.Context(), endpointOf("ep_1")))
			cut := func(call func() error) {
				t.Helper()
				broke := p.cutBefore(text)
				require.Error(t, call())
				<-broke
			}
			status := func() webhook.Status {
				t.Helper()
				status, err := s.Get(t.Context(), "ep_1")
				require.NoError(t, err)
				return status
			}
			add := func() error {
				_, err := s.Add(t.Context(), webhookMessage("m_1", noon))
				return err
			}
			cut(add)
			require.NoError(t, add())
			require.Equal(t, 1, status().Pending)

			now := noon
			cut(func() error {
				_, _, err := s.Claim(t.Context(), webhook.Claiming{Now: now, Until: now.Add(time.Minute), Lane: webhook.Slow, Limit: 5})
				return err
			})
			claims := claimAt(t, s, webhook.Slow, now.Add(59*time.Second), 5)
			if name == "after" {
				require.Empty(t, claims, "it is leased to nobody")
				claims = claimAt(t, s, webhook.Slow, now.Add(time.Minute), 5)
			}
			require.Len(t, claims, 1)

			o := outcome(claims[0], noon, webhook.FailureStatus)
			o.Next = noon.Add(time.Hour)
			cut(func() error { return s.Finish(t.Context(), claims[0], o) })
			require.NoError(t, s.Finish(t.Context(), claims[0], o))
			claims = claimAt(t, s, webhook.Slow, noon.Add(time.Hour), 5)
			require.Len(t, claims, 1)
			require.Equal(t, 2, claims[0].Number)
			o = outcome(claims[0], noon, "")
			cut(func() error { return s.Finish(t.Context(), claims[0], o) })
			require.NoError(t, s.Finish(t.Context(), claims[0], o))
			require.Zero(t, status().Pending)
			page, err := s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "ep_1"})
			require.NoError(t, err)
			require.Len(t, page.Attempts, 2, "each is in the ledger once")

			replay := func() error {
				_, _, err := s.Replay(t.Context(), "ep_1", noon)
				return err
			}
			cut(replay)
			require.NoError(t, replay())
			require.Equal(t, 1, status().Pending)
		})
	}
}

// Connections end at any moment, while several goroutines add, claim and finish:
// nothing is lost, and nothing is given twice that is not leased out or over.
func TestConnectionsThatEndAtAnyMoment(t *testing.T) {
	t.Parallel()
	named := schema(t)
	s, p := behind(t, named, func(c *postgres.Config) { c.MaxWebhookAttempts = 10_000 })
	const endpoints, messages, cuts = 4, 60, 60
	for i := range endpoints {
		require.NoError(t, s.Put(t.Context(), endpointOf(fmt.Sprint("ep_", i), func(e *webhook.Endpoint) { e.Ordered = i%2 == 0 })))
	}
	var failed, acts atomic.Int64
	insist := func(f func() error) {
		for end := time.Now().Add(patience); time.Now().Before(end); {
			err := f()
			acts.Add(1)
			if err == nil {
				return
			}
			failed.Add(1)
		}
		t.Error("it fails for ever")
	}
	type lease struct{ from, until time.Time }
	var mu sync.Mutex // guards the following
	leases, ledger := map[string][]lease{}, map[string]int{}
	now := noon
	clock := func(later time.Duration) time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(later)
		return now
	}
	var finished atomic.Bool
	var running, adding sync.WaitGroup
	adding.Go(func() {
		for i := range messages {
			insist(func() error {
				_, err := s.Add(context.Background(), webhookMessage(fmt.Sprintf("m_%03d", i), noon))
				return err
			})
		}
	})
	for worker := range 6 {
		running.Go(func() {
			for !finished.Load() {
				c := webhook.Claiming{Now: clock(0), Lane: webhook.Lane(worker % 2), Limit: 4}
				c.Until = c.Now.Add(time.Minute)
				claims, _, err := s.Claim(context.Background(), c)
				acts.Add(1)
				if err != nil {
					failed.Add(1)
					clock(time.Minute + time.Second) // what was leased to nobody is due again
				}
				for _, claim := range claims {
					id := claim.Status.ID + " " + claim.Message.ID
					mu.Lock()
					leases[id] = append(leases[id], lease{c.Now, c.Until})
					ledger[claim.Status.ID]++
					mu.Unlock()
					insist(func() error { return s.Finish(context.Background(), claim, outcome(claim, c.Now, "")) })
				}
			}
		})
	}
	running.Go(func() {
		for range cuts {
			for seen := acts.Load(); acts.Load() < seen+5 && !finished.Load(); {
				runtime.Gosched()
			}
			p.cut()
		}
	})
	adding.Wait()
	conn := connect(t)
	waiting := 1
	for end := time.Now().Add(patience); waiting > 0 && time.Now().Before(end); {
		require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from "+schemaOf(named)+".webhook_delivery").Scan(&waiting))
	}
	finished.Store(true)
	running.Wait()
	require.Zero(t, waiting)
	require.Positive(t, failed.Load(), "nothing was cut off")
	require.Equal(t, messages, count(t, named, "webhook_message"))
	require.Len(t, leases, endpoints*messages, "each was called")
	for id, all := range leases {
		slices.SortFunc(all, func(a, b lease) int { return a.from.Compare(b.from) })
		for i := range all[1:] {
			require.False(t, all[i+1].from.Before(all[i].until), "%s was leased again: %v", id, all)
		}
	}
	for i := range endpoints {
		id := fmt.Sprint("ep_", i)
		status, err := s.Get(t.Context(), id)
		require.NoError(t, err)
		require.Zero(t, status.Pending)
		require.Equal(t, ledger[id], count(t, named, "webhook_attempt where endpoint = '"+id+"'"), "each call is in the ledger once")
	}
}

// A server that says nothing is waited for no longer than the caller says.
func TestAClaimEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, p := behind(t, schema(t))
	require.NoError(t, s.Put(t.Context(), endpointOf("ep_1")))
	_, err := s.Add(t.Context(), webhookMessage("m_1", noon))
	require.NoError(t, err)
	p.silence()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err = s.Claim(ctx, webhook.Claiming{Now: noon, Until: noon.Add(time.Minute), Lane: webhook.Slow, Limit: 5})
	require.True(t, errors.Is(err, context.DeadlineExceeded), "%v", err)
	require.Len(t, claimAt(t, s, webhook.Slow, noon, 5), 1, "by another connection")
}

// An endpoint that somebody else wrote to harms no other, and loses nothing.
func TestAnEndpointThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, change := range []string{"secrets = '{whsec_c2hvcnQ=}'", "secrets = '{short,NULL}'", "secrets = '{NULL}', types = array_append(types, null)"} {
		var log bytes.Buffer
		named := schema(t)
		s := records(t, named, func(c *postgres.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }).Webhooks()
		for _, id := range []string{"ep_1", "ep_2", "ep_3"} {
			require.NoError(t, s.Put(t.Context(), endpointOf(id)))
		}
		for _, id := range []string{"a", "b"} {
			_, err := s.Add(t.Context(), webhookMessage(id, noon))
			require.NoError(t, err)
		}
		_, err := connect(t).Exec(t.Context(), "update "+schemaOf(named)+".webhook_endpoint set "+change+" where id = 'ep_1'")
		require.NoError(t, err)
		requireUnreadable := func() webhook.Status {
			t.Helper()
			page, err := s.List(t.Context(), webhook.Query{AllTenants: true})
			require.NoError(t, err)
			require.Len(t, page.Endpoints, 3)
			one, err := s.Get(t.Context(), "ep_1")
			require.NoError(t, err)
			require.Equal(t, one, page.Endpoints[0])
			require.Equal(t, webhook.DisabledUnreadable, one.Disabled)
			require.Empty(t, one.Secrets)
			require.Empty(t, page.Endpoints[1].Disabled)
			require.Len(t, page.Endpoints[1].Secrets, 1)
			return one
		}
		requireUnreadable()
		claims := claimAt(t, s, webhook.Slow, noon, 9)
		require.Len(t, claims, 2, "of the others")
		require.Equal(t, noon, requireUnreadable().DisabledAt, "so that what it missed can be replayed")
		require.Contains(t, log.String(), "endpoint=ep_1")
		require.NotContains(t, log.String(), "c2hvcnQ")
		for _, c := range claims {
			require.NotEqual(t, "ep_1", c.Status.ID)
			require.NoError(t, s.Finish(t.Context(), c, outcome(c, noon, "")))
		}

		require.NoError(t, s.Put(t.Context(), endpointOf("ep_1")))
		require.NoError(t, s.Switch(t.Context(), "ep_1", "", noon))
		var got []string
		for later := noon.Add(time.Hour); len(got) < 2; later = later.Add(time.Hour) {
			claims := claimAt(t, s, webhook.Slow, later, 9)
			require.Len(t, claims, 1, "nothing is lost")
			require.Equal(t, "ep_1", claims[0].Status.ID)
			got = append(got, claims[0].Message.ID)
			o := outcome(claims[0], later, webhook.FailureStatus)
			require.NoError(t, s.Finish(t.Context(), claims[0], o))
		}
		require.ElementsMatch(t, []string{"a", "b"}, got)
	}
}
