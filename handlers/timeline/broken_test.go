package timeline_test

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinetest"
)

// leaky is a store that shows a tenant what is another's.
type leaky struct {
	timeline.Store
	how string
}

func (l leaky) List(ctx context.Context, q timeline.Query) (timeline.Page, error) {
	switch _, _, err := q.Resolve(); {
	case err != nil:
		return timeline.Page{}, err
	case l.how == "takes no tenant for all" && q.Tenant == "",
		l.how == "looks at no tenant",
		l.how == "looks at no tenant beside a recipient" && q.RecipientID != "",
		l.how == "looks at no tenant beside a label" && len(q.Labels) > 0,
		l.how == "looks at no tenant beside a channel" && q.Channel != "",
		l.how == "looks at no tenant on the next page" && q.After != "":
		q.AllTenants, q.Tenant = true, ""
	}
	return l.Store.List(ctx, q)
}

const leakyVariable = "TIMELINE_TEST_LEAKY"

// What a leaky store is caught by. The suite runs in a process of its own, since it
// fails.
func TestTheSuiteCatchesALeakyStore(t *testing.T) {
	if how := os.Getenv(leakyVariable); how != "" {
		timelinetest.TestStore(t, func(*testing.T) timeline.Store { return leaky{timeline.NewMemory(), how} })
		return
	}
	t.Parallel()
	const check = "a_query_finds_what_its_tenant_has"
	for _, how := range []string{
		"is as it should be", "takes no tenant for all", "looks at no tenant", "looks at no tenant beside a recipient",
		"looks at no tenant beside a label", "looks at no tenant beside a channel", "looks at no tenant on the next page",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheSuiteCatchesALeakyStore$/^"+check+"$", "-test.timeout=1m")
			child.Env = append(os.Environ(), leakyVariable+"="+how)
			out, err := child.CombinedOutput()
			if how == "is as it should be" {
				require.NoError(t, err, "%s", out)
				return
			}
			require.Error(t, err)
			require.Contains(t, string(out), "--- FAIL: TestTheSuiteCatchesALeakyStore/"+check)
		})
	}
}
