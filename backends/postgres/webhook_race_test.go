package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

const sentType = "notify.sent.v1"

func endpointOf(id string, options ...func(*webhook.Endpoint)) webhook.Endpoint {
	e := webhook.Endpoint{
		ID: id, Tenant: "shop", URL: "https://example.com/" + id, Secrets: []webhook.Secret{webhook.NewSecret()}, Types: []string{sentType}, Concurrency: 3,
	}
	for _, option := range options {
		option(&e)
	}
	return e
}

func webhookMessage(id string, at time.Time) webhook.Message {
	return webhook.Message{ID: id, Type: sentType, Tenant: "shop", At: at, Body: []byte(`{"id":"` + id + `"}`)}
}

func outcome(c webhook.Claim, at time.Time, failure webhook.Failure) webhook.Outcome {
	return webhook.Outcome{Attempt: webhook.Attempt{
		EndpointID: c.Status.ID, MessageID: c.Message.ID, Type: c.Message.Type, Number: c.Number, At: at, Took: time.Millisecond, Status: 200, Failure: failure,
	}}
}

func claimAt(t testing.TB, s webhook.Store, lane webhook.Lane, now time.Time, limit int) []webhook.Claim {
	t.Helper()
	claims, _, err := s.Claim(context.Background(), webhook.Claiming{Now: now, Until: now.Add(10 * time.Minute), Lane: lane, Limit: limit})
	require.NoError(t, err)
	return claims
}

// raceClaims has two stores with pools of their own claim and finish what is
// added meanwhile, and returns how often a rule was broken.
func raceClaims(t *testing.T, opts ...func(*postgres.Config)) (broken []string) {
	t.Helper()
	named := schema(t)
	const endpoints, messages = 6, 80
	stores := []webhook.Store{records(t, append(opts, named)...).Webhooks(), records(t, append(opts, named)...).Webhooks()}
	for i := range endpoints {
		require.NoError(t, stores[0].Put(t.Context(), endpointOf(fmt.Sprint("ep_", i), func(e *webhook.Endpoint) { e.Ordered = i%2 == 0 })))
	}
	var mu sync.Mutex
	under, done, last := map[string]int{}, map[string]int{}, map[string]string{}
	complain := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	var running sync.WaitGroup
	running.Go(func() {
		for i := range messages {
			if _, err := stores[i%2].Add(t.Context(), webhookMessage(fmt.Sprintf("m_%03d", i), noon)); err != nil {
				t.Errorf("Add: %v", err)
			}
		}
	})
	for worker := range 8 {
		running.Go(func() {
			s := stores[worker%2]
			for end := time.Now().Add(patience); time.Now().Before(end); {
				mu.Lock()
				over := len(done) == endpoints*messages
				mu.Unlock()
				if over {
					return
				}
				claims, _, err := s.Claim(t.Context(), webhook.Claiming{Now: noon, Until: noon.Add(time.Minute), Lane: webhook.Lane(worker / 2 % 2), Limit: 5})
				if err != nil {
					t.Errorf("Claim: %v", err)
					return
				}
				mu.Lock()
				for _, c := range claims {
					id := c.Status.ID
					if under[id]++; under[id] > c.Status.Calls() {
						complain("%s has %d calls", id, under[id])
					}
					if c.Status.Ordered && c.Message.ID <= last[id] {
						complain("%s got %s after %s", id, c.Message.ID, last[id])
					}
					last[id] = c.Message.ID
					if done[id+c.Message.ID]++; done[id+c.Message.ID] > 1 {
						complain("%s got %s again", id, c.Message.ID)
					}
				}
				mu.Unlock()
				for _, c := range claims {
					mu.Lock()
					under[c.Status.ID]--
					mu.Unlock()
					if err := s.Finish(t.Context(), c, outcome(c, noon, "")); err != nil {
						t.Errorf("Finish: %v", err)
					}
				}
			}
		})
	}
	running.Wait()
	require.Len(t, done, endpoints*messages)
	for i := range endpoints {
		status, err := stores[1].Get(t.Context(), fmt.Sprint("ep_", i))
		require.NoError(t, err)
		require.Zero(t, status.Pending)
	}
	return broken
}

// Order and limits hold over all processes.
func TestProcessesShareEndpoints(t *testing.T) {
	t.Parallel()
	require.Empty(t, raceClaims(t))
	require.NotEmpty(t, raceClaims(t, postgres.Unlimited), "the test sees nothing")
}

// Processes that come to the cap at once drop what is too much once.
func TestProcessesDropTheOldestMessagesOnce(t *testing.T) {
	t.Parallel()
	named := schema(t)
	const most, processes = 1000, 8
	capped := func(c *postgres.Config) { c.MaxWebhookMessages = most }
	require.NoError(t, records(t, named).Webhooks().Put(t.Context(), endpointOf("ep_1")))
	for round := range 3 {
		_, err := connect(t).Exec(t.Context(), fmt.Sprintf(`insert into %s.webhook_message (id, type, tenant, at, bytes, body)
			select '%d/' || n, '', '', now(), 0, '' from generate_series((select count(*) from %[1]s.webhook_message) + 1, %[3]d) n`, schemaOf(named), round, most))
		require.NoError(t, err)
		begin := make(chan struct{})
		var running, ready sync.WaitGroup
		for i := range processes {
			s := records(t, named, capped).Webhooks()
			ready.Add(1)
			running.Go(func() {
				_, err := s.Get(context.Background(), "ep_1") // it is connected
				ready.Done()
				<-begin
				if err == nil {
					_, err = s.Add(context.Background(), webhookMessage(fmt.Sprint("m_", round, "_", i), noon))
				}
				if err != nil {
					t.Errorf("Add: %v", err)
				}
			})
		}
		ready.Wait()
		close(begin)
		running.Wait()
		require.GreaterOrEqual(t, count(t, named, "webhook_message"), most-most/100-1)
	}
}

// A message is added once, and in the same order for all, whoever adds it.
func TestProcessesAddTheSame(t *testing.T) {
	t.Parallel()
	named := schema(t)
	one, two := records(t, named).Webhooks(), records(t, named).Webhooks()
	require.NoError(t, one.Put(t.Context(), endpointOf("ep_1")))
	require.NoError(t, one.Put(t.Context(), endpointOf("ep_2")))
	var added atomic.Int64
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for n := range 40 {
				m := webhookMessage(fmt.Sprint("m_", (n+i*5)%40), noon)
				count, err := []webhook.Store{one, two}[i%2].Add(t.Context(), m)
				if err != nil {
					t.Errorf("Add: %v", err)
				}
				added.Add(int64(count))
			}
		})
	}
	running.Wait()
	require.EqualValues(t, 80, added.Load())
	require.Equal(t, 80, count(t, named, "webhook_delivery"))
	require.Equal(t, 2, count(t, named, "webhook_endpoint where pending = 40"))
}

// An endpoint that somebody is changing holds up no other, and gets its turn.
func TestAnEndpointThatIsLocked(t *testing.T) {
	t.Parallel()
	named := schema(t)
	s := records(t, named).Webhooks()
	for _, id := range []string{"ep_1", "ep_2"} {
		require.NoError(t, s.Put(t.Context(), endpointOf(id)))
	}
	_, err := s.Add(t.Context(), webhookMessage("m_1", noon))
	require.NoError(t, err)
	tx, err := connect(t).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "update "+schemaOf(named)+".webhook_endpoint set url = url where id = 'ep_1'")
	require.NoError(t, err)
	claims, next, err := s.Claim(t.Context(), webhook.Claiming{Now: noon, Until: noon.Add(time.Minute), Lane: webhook.Slow, Limit: 5})
	require.NoError(t, err)
	require.Len(t, claims, 1)
	require.Equal(t, "ep_2", claims[0].Status.ID)
	require.True(t, next.After(noon), "not at once again")
	require.True(t, next.Before(noon.Add(time.Second)))

	got := make(chan string, 1)
	go func() {
		for {
			claims, _, err := s.Claim(context.Background(), webhook.Claiming{Now: noon, Until: noon.Add(time.Minute), Lane: webhook.Slow, Limit: 5})
			switch {
			case err != nil:
				got <- err.Error()
				return
			case len(claims) > 0:
				got <- claims[0].Status.ID
				return
			}
		}
	}()
	conn := connect(t)
	eventually(t, func() bool {
		var n int
		require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%'||$1||'%id = $3 for update%'", schemaOf(named)).Scan(&n))
		return n > 0
	}, "it queues with those who change it")
	require.Empty(t, got)
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, "ep_1", <-got)
}
