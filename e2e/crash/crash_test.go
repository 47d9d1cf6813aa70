package main

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/postgres/postgrestest"
)

// sound plays a run that must find nothing, and returns what it was.
func sound(t *testing.T, backend string, kills int) *Outcome {
	t.Helper()
	s := settings(t, backend, kills)
	out, err := play(s)
	if errors.Is(err, postgrestest.ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err)
	var text strings.Builder
	out.print(&text)
	t.Log(text.String())
	require.Empty(t, out.Verdict.violations())
	require.Equal(t, kills, out.Total)
	require.Positive(t, out.Verdict.Accepted)
	require.GreaterOrEqual(t, out.Verdict.Settled, out.Verdict.Accepted)
	return out
}

// Every point of the list is one that children do come to.
func TestSQLite(t *testing.T) {
	out := sound(t, "sqlite", 300)
	require.Positive(t, out.Verdict.Unknown)
	require.Positive(t, out.Verdict.Stopped)
	for _, point := range []string{
		"before call", "after call", "before commit accepted", "after commit accepted", "before commit sent", "after commit sent",
		"before acknowledge deliver", "after acknowledge events", "before send", "after send", "before observe", "after observe",
		"before bury", "after bury", "before fix", "after report", "before acknowledge events, in recovery", atRandom,
	} {
		require.Positive(t, out.Kills[point], "no child was killed %s: %v", point, out.Kills)
	}
}

// Kafka waits for the dead members of its groups, so that a kill takes seconds.
func TestKafka(t *testing.T) {
	t.Parallel()
	sound(t, "kafka", 6)
}

// Without a guarantee the harness finds what it was for.
func TestControls(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup // most of their time they wait
	for _, c := range []struct {
		name         string
		kills, sends int
		finds        func(*Verdict) []string
	}{
		{"record", 5, 5, func(v *Verdict) []string { return v.Lost }},
		{"intent", 30, 8, func(v *Verdict) []string { return v.Doubled }},
		{"outbox", 40, 5, func(v *Verdict) []string { return v.Missed }},
		{"cas", 5, 30, func(v *Verdict) []string { return append(v.Doubled, v.Disorder...) }},
		{"lease", 30, 8, func(v *Verdict) []string { return append(v.Doubled, v.Baseless...) }},
		{"ack-last", 20, 8, func(v *Verdict) []string { return v.Missed }},
		{"position", 10, 8, func(v *Verdict) []string { return v.Missed }},
		{"letters", 1, 20, func(v *Verdict) []string { return v.Missed }},
		{"cancel", 2, 40, func(v *Verdict) []string { return v.Canceled }},
		{"sweep", 1, 60, func(v *Verdict) []string { return v.Lost }},
		{"key", 1, 60, func(v *Verdict) []string { return v.Doubled }},
	} {
		s := settings(t, "sqlite", c.kills)
		s.Without, s.Sends = c.name, c.sends
		all.Go(func() {
			out, err := play(s)
			if err != nil {
				t.Errorf("without %s: %v", c.name, err)
				return
			}
			if len(c.finds(out.Verdict)) == 0 {
				t.Errorf("without %s it found only %v", c.name, out.Verdict.violations())
			}
		})
	}
	s := settings(t, "memory", 5)
	all.Go(func() {
		if out, err := play(s); err != nil || len(out.Verdict.Lost) == 0 {
			t.Errorf("a backend that keeps nothing loses nothing: %v", err)
		}
	})
	all.Wait()
}

func TestBroker(t *testing.T) {
	t.Parallel()
	sound(t, "broker", 30)
}

// Records that stand apart from the backend, as with Kafka.
func TestApart(t *testing.T) {
	t.Parallel()
	sound(t, "apart", 60)
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	sound(t, "postgres", 40)
}
