package notify

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A report that came before its message was known is applied as soon as it is,
// also if the answer's write, or its publishing, fails and is tried again.
func TestAnEarlyReportSurvivesATry(t *testing.T) {
	t.Parallel()
	for _, move := range []struct {
		variant variant
		kind    string
	}{
		{variants[0], "store sent"}, {variants[0], "publish sent"}, {variants[1], "commit sent"},
	} {
		f := fate{kind: move.kind, at: 1, after: true, fails: true}
		out := scenarioNamed("early report").run(t, move.variant, f, 0)
		requireNone(t, f, out)
		require.Equal(t, move.kind, out.struck)
		require.Contains(t, out.trace, `/settled {"state":"delivered"`, "%+v", f) // not by the sweep, which comes later
	}
}
