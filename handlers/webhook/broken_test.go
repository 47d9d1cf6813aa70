package webhook_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/handlers/webhook/webhooktest"
)

// broken is a store that breaks its contract in one way.
type broken struct {
	webhook.Store
	how  string
	seen map[string]int
}

func (b *broken) Put(ctx context.Context, e webhook.Endpoint) error {
	if b.how == "has no order" {
		e.Ordered = false
	}
	if b.how == "has no limit" {
		e.Concurrency = 1000
	}
	return b.Store.Put(ctx, e)
}

func (b *broken) List(ctx context.Context, q webhook.Query) (webhook.Page, error) {
	_, err := q.Resolve()
	if err == nil && (b.how == "looks at no tenant" || b.how == "takes no tenant for all" && q.Tenant == "") {
		q.AllTenants, q.Tenant = true, ""
	}
	return b.Store.List(ctx, q)
}

func (b *broken) Switch(ctx context.Context, id string, reason webhook.Reason, at time.Time) error {
	if b.how == "does not disable" {
		return nil
	}
	return b.Store.Switch(ctx, id, reason, at)
}

func (b *broken) Add(ctx context.Context, m webhook.Message) (int, error) {
	if b.how == "takes a message twice" {
		for range b.seen[m.ID] {
			m.ID += "'"
		}
		b.seen[m.ID]++
	}
	return b.Store.Add(ctx, m)
}

func (b *broken) Claim(ctx context.Context, c webhook.Claiming) ([]webhook.Claim, time.Time, error) {
	switch b.how {
	case "does not lease":
		c.Until = c.Now
	case "leases for ever":
		c.Until = c.Until.Add(100 * time.Hour)
	case "has one lane":
		return oneLane{b.Store}.Claim(ctx, c)
	case "does not say when":
		claims, _, err := b.Store.Claim(ctx, c)
		return claims, time.Time{}, err
	}
	return b.Store.Claim(ctx, c)
}

func (b *broken) Finish(ctx context.Context, c webhook.Claim, o webhook.Outcome) error {
	switch b.how {
	case "does not hold":
		o.Hold = time.Time{}
	case "does not try again":
		o.Next = time.Time{}
	case "forgets who is gone":
		o.Disable = ""
	case "takes an old URL for its own":
		now, err := b.Store.Get(ctx, c.Status.ID)
		if err != nil {
			return err
		}
		c.Status.URL = now.URL
	case "notes a repeat":
		finished := fmt.Sprint(c.Status.ID, c.Message.ID, c.Token)
		o.Attempt.Took += time.Duration(b.seen[finished])
		b.seen[finished]++
	case "loses a lost attempt":
		if now, err := b.Store.Get(ctx, c.Status.ID); err == nil && now.Pending == 0 {
			return nil
		}
	}
	return b.Store.Finish(ctx, c, o)
}

func (b *broken) Replay(ctx context.Context, id string, from time.Time) (int, time.Time, error) {
	if b.how == "replays all" {
		from = time.Time{}
	}
	return b.Store.Replay(ctx, id, from)
}

const brokenVariable = "WEBHOOK_TEST_BROKEN"

// What a broken store is caught by. The suite runs in a process of its own, since
// it fails.
func TestTheSuiteCatchesABrokenStore(t *testing.T) {
	if how := os.Getenv(brokenVariable); how != "" {
		webhooktest.TestStore(t, func(*testing.T) webhook.Store {
			return &broken{Store: webhook.NewMemory(), how: how, seen: map[string]int{}}
		})
		return
	}
	t.Parallel()
	for how, check := range map[string]string{
		"is as it should be":           "[al].*",
		"looks at no tenant":           "endpoints_are_listed_page_by_page",
		"takes no tenant for all":      "endpoints_are_listed_page_by_page",
		"has no order":                 "an_ordered_endpoint_gets_one_after_the_other",
		"has no limit":                 "what_fails_holds_up_no_other_unless_it_is_ordered",
		"does not disable":             "a_disabled_endpoint_gets_nothing",
		"takes a message twice":        "a_message_that_comes_again_changes_nothing",
		"does not lease":               "a_claim_is_leased",
		"leases for ever":              "a_claim_is_leased",
		"has one lane":                 "lanes_are_apart",
		"does not say when":            "a_claim_is_leased",
		"does not hold":                "an_endpoint_is_held",
		"does not try again":           "a_failing_endpoint_gets_one_call_at_a_time",
		"forgets who is gone":          "an_outcome_disables_an_endpoint",
		"loses a lost attempt":         "a_claim_that_was_lost_changes_nothing",
		"notes a repeat":               "an_outcome_that_is_repeated_counts_once",
		"takes an old URL for its own": "an_outcome_of_another_URL_says_nothing_of_the_endpoint",
		"replays all":                  "messages_are_replayed_in_order",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			// Only the check that has to fail: others may never end.
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheSuiteCatchesABrokenStore$/^"+check+"$", "-test.timeout=1m")
			child.Env = append(os.Environ(), brokenVariable+"="+how)
			out, err := child.CombinedOutput()
			if how == "is as it should be" {
				require.NoError(t, err, "%s", out)
				return
			}
			require.Error(t, err)
			require.Regexp(t, regexp.MustCompile(`--- FAIL: TestTheSuiteCatchesABrokenStore/`+check), string(out))
		})
	}
}
