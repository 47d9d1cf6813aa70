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
	t.Parallel()
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

func TestBroker(t *testing.T) {
	t.Parallel()
	sound(t, "broker", 60)
}

// Records that stand apart from the backend, as with Kafka.
func TestApart(t *testing.T) {
	t.Parallel()
	sound(t, "apart", 100)
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	sound(t, "postgres", 60)
}

// Kafka waits for the dead members of its groups, so that a kill takes seconds.
func TestKafka(t *testing.T) {
	t.Parallel()
	sound(t, "kafka", 8)
}

// Without a guarantee the harness finds what it was for.
func TestControls(t *testing.T) {
	t.Parallel()
	finds := map[string]func(*Verdict) []string{
		"record":   func(v *Verdict) []string { return v.Lost },
		"intent":   func(v *Verdict) []string { return v.Doubled },
		"outbox":   func(v *Verdict) []string { return v.Missed },
		"cas":      func(v *Verdict) []string { return append(v.Doubled, v.Disorder...) },
		"lease":    func(v *Verdict) []string { return append(v.Doubled, v.Baseless...) },
		"ack-last": func(v *Verdict) []string { return v.Missed },
		"position": func(v *Verdict) []string { return v.Missed },
		"letters":  func(v *Verdict) []string { return v.Missed },
		"cancel":   func(v *Verdict) []string { return v.Canceled },
		"sweep":    func(v *Verdict) []string { return v.Lost },
		"key":      func(v *Verdict) []string { return v.Doubled },
	}
	require.Len(t, finds, len(controls))
	var all sync.WaitGroup // most of their time they wait
	for _, c := range controls {
		s := settings(t, "sqlite", 40)
		s.Without = c.name
		all.Go(func() {
			out, err := play(s)
			if err != nil {
				t.Errorf("without %s: %v", c.name, err)
				return
			}
			if len(finds[c.name](out.Verdict)) == 0 {
				t.Errorf("without %s, %s, it found only %v", c.name, c.about, out.Verdict.violations())
			}
		})
	}
	s := settings(t, "memory", 10)
	all.Go(func() {
		if out, err := play(s); err != nil || len(out.Verdict.Lost) == 0 {
			t.Errorf("a backend that keeps nothing loses nothing: %v", err)
		}
	})
	all.Wait()
}
