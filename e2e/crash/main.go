package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	if o, ok := ordersOf(); ok {
		exitChild(o)
	}
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// exitChild is all that a child does.
func exitChild(o Orders) {
	if err := runChild(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// command runs the program, and returns its exit status.
func command(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	flags.SetOutput(stderr)
	s := Settings{Errors: stderr}
	flags.StringVar(&s.Backend, "backend", "broker", "`one` of "+backendNames)
	flags.IntVar(&s.Kills, "kills", 300, "how `many` children to kill")
	flags.IntVar(&s.Sends, "sends", 5, "how `many` notifications each child is given to send")
	flags.BoolVar(&s.Pair, "pair", false, "two children at a time, which share the work and are also frozen")
	flags.Uint64Var(&s.Seed, "seed", 0, "what chance follows from; 0 picks one")
	flags.StringVar(&s.Without, "without", "", "a `guarantee` to take away: "+controlNames())
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if s.Seed == 0 {
		s.Seed = rand.Uint64N(1e6)
	}
	if _, err := controlNamed(s.Without); err != nil && s.Without != "" {
		fmt.Fprintln(stderr, err)
		return 2
	}
	dir, err := os.MkdirTemp("", "crash")
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program, err := os.Executable()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	s.Dir, s.Program = dir, []string{program}
	out, err := play(s)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	out.print(stdout)
	if !out.Verdict.sound() {
		return 1
	}
	return 0
}

// print writes what came of a run, for people.
func (o *Outcome) print(w io.Writer) {
	fmt.Fprintf(w, "backend %s, seed %d: %d kills in %s, then %s to finish\n",
		o.Backend, o.Seed, o.Total, o.Killing.Round(time.Second/10), o.Ending.Round(time.Second/10))
	if o.Pair {
		fmt.Fprintf(w, "two processes shared the work; %d times one was frozen\n", o.Frozen)
	}
	if o.Without != "" {
		c, _ := controlNamed(o.Without)
		fmt.Fprintf(w, "control: without %s, %s\n", c.name, c.about)
	}
	fmt.Fprintln(w, "\nkills by point:")
	for _, point := range slices.Sorted(maps.Keys(o.Kills)) {
		fmt.Fprintf(w, "%6d  %s\n", o.Kills[point], point)
	}
	if never := o.never(); len(never) > 0 {
		fmt.Fprintln(w, "\nnone was killed at:", strings.Join(never, ", "))
	}
	v := o.Verdict
	fmt.Fprintln(w)
	for _, line := range []struct {
		n    int
		what string
	}{
		{v.Accepted, "accepted"},
		{v.Settled, "settled (with those whose acceptance was not heard of)"},
		{v.Effects, "messages got by a recipient"},
		{v.Unknown, "ended as unknown"},
		{v.Stopped, "canceled before they were sent"},
		{v.Events, "events raised"},
		{len(v.Lost), "lost"},
		{len(v.Doubled), "doubled"},
		{len(v.Missed), "events missed"},
		{len(v.Disorder), "events out of order"},
		{len(v.Canceled), "sent after a cancel"},
		{len(v.Baseless), "unknown without a reason"},
		{len(v.Unrelated), "keys with two IDs, or IDs of two notifications"},
		{len(v.Changed), "contents that changed under an ID or a key"},
		{len(v.Unheard), "reports that nobody was told of"},
		{len(v.Ghosts), "events that no record knows"},
	} {
		fmt.Fprintf(w, "%6d  %s\n", line.n, line.what)
	}
	all := v.violations()
	for _, violation := range all[:min(len(all), 10)] {
		fmt.Fprintln(w, "VIOLATION:", violation)
	}
}

// never are the points at which no child was killed, in recovery or not, although
// some were sent there: they did not come there before the parent killed them.
func (o *Outcome) never() (points []string) {
	const recovery = ", in recovery"
	for point := range o.Missed {
		point = strings.TrimSuffix(point, recovery)
		if o.Kills[point]+o.Kills[point+recovery] == 0 && !slices.Contains(points, point) {
			points = append(points, point)
		}
	}
	slices.Sort(points)
	return points
}

func controlNames() string {
	var names []string
	for _, c := range controls {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}
