package notify

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var interleavings = flag.Int("fold.interleavings", 100_000, "how many orders of events TestFoldIgnoresTheOrder tries")

// Many orders of one small history make a failure certain enough for rapid to
// shrink it.
const ordersPerHistory = 100

func TestFoldIgnoresTheOrder(t *testing.T) {
	t.Parallel()
	for name, history := range map[string]func(*rapid.T) []Event[any]{
		"of the pipeline": drawPipeline,
		"arbitrary":       drawArbitrary,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checks := flag.Lookup("rapid.checks").Value.(flag.Getter).Get().(int)
			for range max(1, *interleavings/(2*ordersPerHistory*checks)) {
				rapid.Check(t, func(t *rapid.T) { requireOneStatus(t, history(t)) })
			}
		})
	}
}

// requireOneStatus folds the events as they are, and in many orders with some
// of them many times.
func requireOneStatus(t *rapid.T, events []Event[any]) {
	want, wantSet, wantStatus := folded(events)
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
	for range ordersPerHistory {
		order := interleave(random, events)
		got, gotSet, gotStatus := folded(order)
		if !reflect.DeepEqual(wantStatus, gotStatus) || want.State() != got.State() || want.Settled() != got.Settled() {
			t.Fatalf("the order changes the status:\n%+v\n%+v\n%s\n%s", wantStatus, gotStatus, listed(events), listed(order))
		}
		if !reflect.DeepEqual(wantSet, gotSet) {
			t.Fatalf("the order changes the evidence:\n%v\n%v\n%s\n%s", wantSet, gotSet, listed(events), listed(order))
		}
	}
}

func folded(events []Event[any]) (*Fold, evidenceSet, Status) {
	var f Fold
	var set evidenceSet
	for _, e := range events {
		f.Add(e)
		if piece, ok := evidenceOf(&e.Envelope, e.Data); ok {
			set, _ = set.join(piece)
		}
	}
	return &f, set, f.Status()
}

// interleave returns the events in a random order, a third of them repeated.
func interleave(random *rand.Rand, events []Event[any]) []Event[any] {
	order := append(make([]Event[any], 0, len(events)*4/3+1), events...)
	for range len(events) / 3 {
		order = append(order, events[random.IntN(len(events))])
	}
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}

func listed(events []Event[any]) string {
	var list strings.Builder
	for _, e := range events {
		fmt.Fprintf(&list, "\n  %s %s %T%+v", e.ID, e.Time.Format(time.TimeOnly), e.Data, e.Data)
	}
	return list.String()
}

func TestFoldTellsOfEveryChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var f Fold
		before := f.Status()
		events := append(drawPipeline(t), drawArbitrary(t)...)
		for _, e := range events {
			changed := f.Add(e)
			after := f.Status()
			if !changed && !reflect.DeepEqual(before, after) {
				t.Fatalf("%+v changed the status, and Add did not say so", e)
			}
			if f.Add(e) {
				t.Fatalf("%+v, repeated, brought something new", e)
			}
			before = after
		}
		for _, e := range events {
			if f.Add(e) {
				t.Fatalf("%+v, repeated at the end, brought something new", e)
			}
		}
	})
}

// What the pipeline says is over has one of the last states, also when a
// provider reports more after that.
func TestSettledHistoriesHaveAFinalState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := drawPipeline(t)
		f, _, status := folded(events)
		switch f.State() {
		case StateAccepted, StateRouted, StateSending, "":
			t.Fatalf("settled as %s:%s", f.State(), listed(events))
		}
		if !f.Settled() || !status.Settled || status.SettledAt.IsZero() {
			t.Fatalf("not settled:%s", listed(events))
		}
	})
}

func TestRanksOnlyRise(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var set evidenceSet
		for _, e := range drawArbitrary(t) {
			piece, ok := evidenceOf(&e.Envelope, e.Data)
			if !ok {
				continue
			}
			before := set.rank(piece.Leg, piece.Attempt)
			set, _ = set.join(piece)
			after := set.rank(piece.Leg, piece.Attempt)
			if after.order() < max(before.order(), piece.Kind.order()) {
				t.Fatalf("%s fell to %s with %s", before, after, piece.Kind)
			}
		}
	})
}
