package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/bench"
)

// durably are results that meet every budget.
func durably() *durableResults {
	r := &durableResults{jobs: durableJobs(), costs: map[string][]bench.Each{}}
	for _, job := range r.jobs {
		cost := bench.Each{Wall: 10}
		if job.against != "" {
			cost.Wall = 1
		}
		r.costs[job.name] = []bench.Each{cost, cost, cost}
	}
	return r
}

func TestEveryBudgetOfADatabaseCanBeMissed(t *testing.T) {
	t.Parallel()
	for database, budgets := range map[string]func(*durableResults) []budget{
		"SQLite": (*durableResults).sqliteBudgets, "PostgreSQL": (*durableResults).postgresBudgets,
	} {
		for _, b := range budgets(durably()) {
			require.True(t, b.met, b.what)
		}
		slow := durably()
		for _, job := range []string{sending, committing, publishing, adding} {
			slow.costs[job] = []bench.Each{{Wall: 13}, {Wall: 13}, {Wall: 13}}
		}
		for _, b := range budgets(slow) {
			require.False(t, b.met, database+": "+b.what)
		}
	}
}

func TestASmallPlanOfADatabase(t *testing.T) {
	var progress, out bytes.Buffer
	p := durablePlan{rounds: 1, length: time.Millisecond, read: 100}
	r, err := p.carryOut(&progress, openSQLite)
	require.NoError(t, err)
	r.print(&out)
	for _, job := range durableJobs() {
		require.Contains(t, out.String(), job.name)
	}
	require.NotContains(t, out.String(), "NaN")
	require.NotContains(t, out.String(), "Inf")
}
