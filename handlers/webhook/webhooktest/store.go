// Package webhooktest checks a [webhook.Store] against its contract. It is
// imported by tests only.
package webhooktest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// TestStore runs the suite. Each check opens a store of its own, which must be
// empty, keep at least 1,000 endpoints, messages, messages that wait for one
// endpoint, and 100 attempts of each endpoint, however old they are, and be
// released by t.Cleanup. The checks run in parallel; run them with the race
// detector.
func TestStore(t *testing.T, open func(t *testing.T) webhook.Store) {
	t.Helper()
	for _, check := range []struct {
		name string
		run  func(t *testing.T, s webhook.Store)
	}{
		{"what is not there is not found", checkNotFound},
		{"an endpoint is kept as it is", checkEndpoint},
		{"an endpoint shares nothing that a caller may change", checkSharing},
		{"an endpoint that changes keeps what waits for it", checkChange},
		{"an endpoint that is deleted is gone", checkDelete},
		{"an endpoint of another tenant gets no outcome of the one before", checkReplaced},
		{"endpoints are listed page by page", checkList},
		{"a query that makes no sense is refused", checkBadQueries},
		{"a message waits for those that want it", checkAdd},
		{"a message that comes again changes nothing", checkRepeats},
		{"a claim is leased", checkLease},
		{"a claim that was lost changes nothing", checkLostClaim},
		{"an outcome that is repeated counts once", checkRepeatedFinish},
		{"an ordered endpoint gets one after the other", checkOrdered},
		{"what fails holds up no other unless it is ordered", checkFree},
		{"a failing endpoint gets one call at a time", checkFailing},
		{"lanes are apart", checkLanes},
		{"what is due the longest comes first", checkFairness},
		{"an endpoint is held", checkHold},
		{"a disabled endpoint gets nothing", checkDisabled},
		{"an outcome disables an endpoint", checkDisabling},
		{"an outcome of another URL says nothing of the endpoint", checkOldURL},
		{"messages are replayed in order", checkReplay},
		{"the ledger has every attempt", checkLedger},
		{"many goroutines may use it at once", checkConcurrency},
	} {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			check.run(t, open(t))
		})
	}
}

// began has no more than whole milliseconds, which every store keeps.
var began = time.Date(2026, 3, 14, 12, 0, 0, 789_000_000, time.UTC)

func at(minutes int) time.Time { return began.Add(time.Duration(minutes) * time.Minute) }

const sent, failed = "notify.sent.v1", "notify.failed.v1"

// endpoint makes one of a tenant that wants what is sent.
func endpoint(id string, options ...func(*webhook.Endpoint)) webhook.Endpoint {
	e := webhook.Endpoint{
		ID: id, Tenant: "shop", URL: "https://example.com/" + id, Secrets: []webhook.Secret{webhook.NewSecret()},
		Types: []string{sent}, Concurrency: 3,
	}
	for _, option := range options {
		option(&e)
	}
	return e
}

func ordered(e *webhook.Endpoint) { e.Ordered = true }

func put(t *testing.T, s webhook.Store, endpoints ...webhook.Endpoint) {
	t.Helper()
	for _, e := range endpoints {
		require.NoError(t, s.Put(t.Context(), e))
	}
}

func message(id string, minutes int) webhook.Message {
	return webhook.Message{ID: id, Type: sent, Tenant: "shop", At: at(minutes), Body: []byte(`{"id":"` + id + `"}`)}
}

// add adds messages, one a minute.
func add(t *testing.T, s webhook.Store, ids ...string) {
	t.Helper()
	for i, id := range ids {
		_, err := s.Add(t.Context(), message(id, i))
		require.NoError(t, err)
	}
}

// claim claims what is due then, in either lane, for 10 minutes.
func claim(t *testing.T, s webhook.Store, minutes, limit int) []webhook.Claim {
	t.Helper()
	var all []webhook.Claim
	for _, lane := range []webhook.Lane{webhook.Fast, webhook.Slow} {
		claims, _ := claimIn(t, s, lane, minutes, limit)
		for _, c := range claims {
			require.Equal(t, lane, c.Status.Lane())
		}
		all = append(all, claims...)
	}
	return all
}

func claimIn(t *testing.T, s webhook.Store, lane webhook.Lane, minutes, limit int) ([]webhook.Claim, time.Time) {
	t.Helper()
	claims, next, err := s.Claim(t.Context(), webhook.Claiming{Now: at(minutes), Until: at(minutes + 10), Lane: lane, Limit: limit})
	require.NoError(t, err)
	return claims, next
}

func names(claims []webhook.Claim) (list []string) {
	for _, c := range claims {
		list = append(list, fmt.Sprintf("%s %s #%d", c.Status.ID, c.Message.ID, c.Number))
	}
	return list
}

func attempt(c webhook.Claim, minutes int, failure webhook.Failure) webhook.Attempt {
	return webhook.Attempt{
		EndpointID: c.Status.ID, MessageID: c.Message.ID, Type: c.Message.Type, Number: c.Number,
		At: at(minutes), Took: 25 * time.Millisecond, Status: 200, Failure: failure,
	}
}

// succeed finishes a claim.
func succeed(t *testing.T, s webhook.Store, c webhook.Claim, minutes int) {
	t.Helper()
	require.NoError(t, s.Finish(t.Context(), c, webhook.Outcome{Attempt: attempt(c, minutes, "")}))
}

// fail finishes a claim, to be tried again then.
func fail(t *testing.T, s webhook.Store, c webhook.Claim, minutes, again int) {
	t.Helper()
	require.NoError(t, s.Finish(t.Context(), c, webhook.Outcome{Attempt: attempt(c, minutes, webhook.FailureStatus), Next: at(again)}))
}

// prove has an endpoint succeed once.
func prove(t *testing.T, s webhook.Store, id string) {
	t.Helper()
	status := get(t, s, id)
	_, err := s.Add(t.Context(), webhook.Message{ID: "prove_" + id, Type: status.Types[0], Tenant: status.Tenant, At: at(-100)})
	require.NoError(t, err)
	for _, c := range claim(t, s, -90, 100) {
		succeed(t, s, c, -90)
	}
	require.True(t, get(t, s, id).Proven)
}

func get(t *testing.T, s webhook.Store, id string) webhook.Status {
	t.Helper()
	status, err := s.Get(t.Context(), id)
	require.NoError(t, err)
	return status
}
