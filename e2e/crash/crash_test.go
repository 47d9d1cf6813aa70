package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/postgres/postgrestest"
)

// played is a run that is under way.
type played struct {
	out  *Outcome
	err  error
	done chan struct{}
}

// begin begins a run, which the test waits for in any case: nothing of it may be
// left when its directory goes.
func begin(t *testing.T, s Settings) *played {
	p := &played{done: make(chan struct{})}
	t.Cleanup(func() { <-p.done })
	go func() {
		defer close(p.done)
		p.out, p.err = play(s)
	}()
	return p
}

// beginControl begins a run without a guarantee, and another after it as long as
// chance spares what is looked for: the last counts.
func beginControl(t *testing.T, s Settings) *played {
	p := &played{done: make(chan struct{})}
	t.Cleanup(func() { <-p.done })
	go func() {
		defer close(p.done)
		for again := 1; ; again++ {
			p.out, p.err = play(s)
			if p.err != nil || again == 4 || found(p.out, finds[s.Without]) > 0 {
				return
			}
			s.Dir, s.Seed, s.Kills = filepath.Join(s.Dir, "again"), s.Seed+1, 2*s.Kills
			if p.err = os.Mkdir(s.Dir, 0o700); p.err != nil {
				return
			}
		}
	}()
	return p
}

// chosen tells whether go test's -run chooses a subtest of that name, so that one
// which it does not is not begun.
func chosen(name string) bool {
	parts := strings.Split(flag.Lookup("test.run").Value.String(), "/")
	if len(parts) < 2 || parts[1] == "" {
		return true
	}
	is, err := regexp.MatchString(parts[1], strings.ReplaceAll(name, " ", "_"))
	return is || err != nil
}

// wait returns what came of it, once it has.
func (p *played) wait(t *testing.T) *Outcome {
	t.Helper()
	<-p.done
	if errors.Is(p.err, postgrestest.ErrMissing) {
		t.Skip(p.err)
	}
	require.NoError(t, p.err)
	var text strings.Builder
	p.out.print(&text)
	t.Log(text.String())
	return p.out
}

// TestCrash kills children on every backend, and shows by its controls that it
// would find what is lost or doubled. All runs go on at the same time, since
// they wait for leases and for Kafka more than they work.
func TestCrash(t *testing.T) {
	turn := make(chan struct{}, 2)
	settings := func(backend string, kills int) Settings {
		s := settings(t, backend, kills)
		s.Turn = turn
		return s
	}
	many := settings("sqlite", 300)
	many.Points = []string{
		"before call", "after call", "before commit accepted", "after commit accepted", "before commit sent", "after commit sent",
		"before acknowledge deliver", "after acknowledge events", "before send", "after send", "before observe", "after observe",
		"before bury", "after bury", "before fix", "after report", "before compact", "after compact", "before commit delivered",
		"before acknowledge events, in recovery", atRandom,
	}
	sound := map[string]*played{}
	if chosen("sqlite") || chosen("points") {
		sound["sqlite"] = begin(t, many)
	}
	controls := beginControls(t, settings)
	var nothing *played
	if chosen(keepsNothing) {
		nothing = begin(t, settings("memory", 5))
	}
	for backend, kills := range map[string]int{"broker": 20, "apart": 30, "postgres": 10} {
		if chosen(backend) {
			sound[backend] = begin(t, settings(backend, kills))
		}
	}
	// These wait for frozen children, and for what a group of Kafka's does
	// without a member that is gone, more than they work.
	for backend, kills := range map[string]int{"apart": 6, "postgres": 3, "kafka": 1} {
		s := settings(backend, kills)
		s.Pair, s.Turn = backend != "kafka", nil
		name := backend
		if s.Pair {
			name += ", two processes"
		}
		if chosen(name) {
			sound[name] = begin(t, s)
		}
	}

	for name, run := range sound {
		t.Run(name, func(t *testing.T) {
			v := run.wait(t).Verdict
			require.Empty(t, v.violations())
			require.GreaterOrEqual(t, run.out.Total, run.out.Settings.Kills)
			require.Positive(t, v.Accepted)
			require.GreaterOrEqual(t, v.Settled, v.Accepted)
		})
	}
	t.Run("points", func(t *testing.T) {
		out := sound["sqlite"].wait(t)
		require.Positive(t, out.Verdict.Unknown)
		require.Positive(t, out.Verdict.Stopped)
		for _, point := range many.Points {
			require.Positive(t, out.Kills[point], "no child was killed %s: %v", point, out.Kills)
		}
	})
	for name, run := range controls {
		t.Run("without "+name, func(t *testing.T) {
			requireFound(t, run.wait(t), finds[name])
		})
	}
	t.Run(keepsNothing, func(t *testing.T) {
		requireFound(t, nothing.wait(t), []string{"lost"})
	})
}

// keepsNothing is the subtest whose backend does not outlive its process.
const keepsNothing = "on a backend that keeps nothing"

// finds is what the harness has to find without a guarantee: any of it.
var finds = map[string][]string{
	"record":      {"lost"},
	"intent":      {"doubled"},
	"outbox":      {"missed"},
	"store-first": {"changed", "ghosts"},
	"cas":         {"doubled", "disorder"},
	"lease":       {"doubled", "baseless"},
	"ack-last":    {"missed"},
	"position":    {"missed"},
	"letters":     {"missed"},
	"cancel":      {"canceled"},
	"report":      {"unheard"},
	"sweep":       {"lost"},
	"key":         {"doubled"},
}

// beginControls takes away each guarantee, with as many kills and notifications
// as it takes to see that.
func beginControls(t *testing.T, settings func(backend string, kills int) Settings) map[string]*played {
	needs := map[string][2]int{
		"record": {3, 5}, "intent": {20, 8}, "outbox": {20, 5}, "store-first": {20, 5}, "cas": {3, 30}, "lease": {20, 8}, "ack-last": {30, 8},
		"position": {8, 8}, "letters": {1, 20}, "cancel": {1, 40}, "report": {1, 60}, "sweep": {1, 60}, "key": {1, 60},
	}
	all := map[string]*played{}
	for _, c := range controls {
		if !chosen("without " + c.name) {
			continue
		}
		s := settings("sqlite", needs[c.name][0])
		s.Without, s.Sends = c.name, needs[c.name][1]
		all[c.name] = beginControl(t, s)
	}
	return all
}

func requireFound(t *testing.T, out *Outcome, any []string) {
	t.Helper()
	require.Positive(t, found(out, any), "it found nothing of %v, but %v", any, out.Verdict.violations())
}

// found is how many violations of these kinds there are.
func found(out *Outcome, any []string) (n int) {
	v := out.Verdict
	all := map[string][]string{
		"lost": v.Lost, "doubled": v.Doubled, "missed": v.Missed, "disorder": v.Disorder, "canceled": v.Canceled, "baseless": v.Baseless, "unheard": v.Unheard, "changed": v.Changed, "ghosts": v.Ghosts,
	}
	for _, kind := range any {
		n += len(all[kind])
	}
	return n
}
