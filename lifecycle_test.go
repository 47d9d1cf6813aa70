package notify

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-6c01d079/notify/topology"
)

// headline is a change of the headline, and the event that made it.
type headline struct{ from, to, event string }

// headlines are those of a history, in the order of its log.
func headlines(c *codec, history []Event[any]) (all []headline) {
	var fold Fold
	from := ""
	for _, e := range history {
		fold.Add(e)
		if to := string(fold.Status().State); to != from {
			all = append(all, headline{from, to, c.kindOf(reflect.TypeOf(e.Data)).name})
			from = to
		}
	}
	return all
}

// The lifecycle that is drawn has every step that a history of the pipeline's
// takes, and no other.
func TestLifecycleIsWhatHappens(t *testing.T) {
	t.Parallel()
	drawn, missing := map[headline]bool{}, map[headline]bool{}
	for _, transition := range topology.Lifecycle() {
		for _, event := range transition.On {
			s := headline{transition.From, transition.To, "notify." + event + ".v1"}
			require.False(t, drawn[s], "%v is drawn twice", s)
			drawn[s], missing[s] = true, true
		}
	}
	c := newCodec("/test")
	for round := 0; len(missing) > 0; round++ {
		require.Less(t, round, 20_000, "no history took %v", slices.Collect(maps.Keys(missing)))
		rapid.Check(t, func(t *rapid.T) {
			for _, s := range headlines(c, drawPipeline(t)) {
				if !drawn[s] {
					t.Fatal(fmt.Sprintf("%v is not drawn", s))
				}
				delete(missing, s)
			}
		})
	}
}
