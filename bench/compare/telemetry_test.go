package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/instrumented"
)

func TestASmallTelemetryPlan(t *testing.T) {
	var progress, out bytes.Buffer
	r, err := telemetryPlan{rounds: 2, length: time.Millisecond, observers: []int{1}}.carryOut(&progress)
	require.NoError(t, err)
	r.print(&out)
	require.Contains(t, out.String(), "Send to settled")
	require.NotContains(t, out.String(), "NaN")
	require.Len(t, r.budgets(), 4)
}

func TestTelemetryBudgetsCanBeMissed(t *testing.T) {
	t.Parallel()
	job := telemetryJob{"Emit, n=1", 1}
	with := func(metrics, unsampled float64) []bool {
		r := telemetryResults{telemetryPlan{observers: []int{1}}, map[telemetryJob]map[instrumented.Kind][]bench.Each{
			job: {instrumented.Plain: {{CPU: 1}}, instrumented.Metrics: {{CPU: metrics}}, instrumented.Unsampled: {{CPU: unsampled}}},
		}}
		all := r.budgets()
		return []bool{all[0].met, all[2].met}
	}
	require.Equal(t, []bool{true, true}, with(1.14, 1.29))
	require.Equal(t, []bool{false, true}, with(1.15, 1.29))
	require.Equal(t, []bool{true, false}, with(1.14, 1.31))
}
