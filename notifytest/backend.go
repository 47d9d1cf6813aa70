package notifytest

import (
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// Features says what a backend has, for [TestBackend] and [TestRecords]. What
// is not claimed is not checked. The first group must agree with the interfaces
// that the backend has, so that no check is skipped by accident.
type Features struct {
	// The optional interfaces of package backend.
	Consumer, Positioner, DelayedPublisher, Records, Atomic, DeadLetters, DeadLetterCounter, Admitter, LocalPublisher, SecretKeeper, Presence, Tailer bool

	// Ordered: messages of one key are delivered in the order in which they
	// were published.
	Ordered bool
	// Concurrent: a member of a group handles several keys at once, so that a
	// slow or failing one holds up no other.
	Concurrent bool
	// Shared: the members of a group share its messages, each of which goes to
	// one of them; what a member that left had not finished goes to another.
	Shared bool
	// Kept: a topic keeps its messages for groups without a member. Without
	// it, the checks publish once all have subscribed.
	Kept bool

	// MaxRecords, MaxDeadLetters and MaxWork are the caps that open sets, on
	// records, on dead letters, and on what Admit lets in; 0 is none or not
	// known. They are filled, so keep them small: but at least 500.
	MaxRecords, MaxDeadLetters, MaxWork int

	// Synctest: the backend works in the virtual time of testing/synctest: it
	// does no I/O and waits for channels and timers only.
	Synctest bool
	// Patience is how long something may take, even on a busy machine; default
	// 1 min. Quiet is how long to watch that something does not happen, and how
	// long a Consumer of a backend without Kept may take to subscribe; default
	// 200 ms. Neither is used in virtual time.
	Patience, Quiet time.Duration
}

// TestBackend checks that a backend keeps the contracts of package backend, as
// far as its features go. open returns a new, empty backend, which the suite
// closes. Run it with the race detector:
//
//	func TestConformance(t *testing.T) {
//		notifytest.TestBackend(t, func(tb testing.TB) backend.Backend { return open(tb) }, notifytest.Features{...})
//	}
//
// If a backend is no [backend.Consumer], the suite consumes as a Notifier does,
// on Watermill's Router. The suite counts the goroutines and descriptors of the
// whole process, so the test that calls it must not be parallel.
func TestBackend(t *testing.T, open func(tb testing.TB) backend.Backend, f Features) {
	t.Helper()
	for _, c := range backendChecks() {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, func(tb testing.TB) any { return open(tb) }, f)
		})
	}
}

// TestRecords checks that a store of records which is no backend keeps the
// contract of [backend.Records], and of [backend.DeadLetters], [backend.DeadLetterCounter] and
// [backend.Presence] if those are claimed. Of the features, it looks at Records,
// DeadLetters, DeadLetterCounter, Presence, their caps, Synctest and Patience. It closes a store that is an io.Closer. See [TestBackend] for the
// rest.
func TestRecords(t *testing.T, open func(tb testing.TB) backend.Records, f Features) {
	t.Helper()
	for _, c := range storeChecks() {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, func(tb testing.TB) any { return open(tb) }, f)
		})
	}
}

// backendCheck is one promise of a backend or a store.
type backendCheck struct {
	name string
	// needs names the features without which the check is skipped.
	needs []string
	check func(b *backendBench)
}

// backendChecks are the promises of a backend.
func backendChecks() []backendCheck {
	all := []backendCheck{{name: "features", check: checkFeatures}}
	for _, some := range [][]backendCheck{
		consumeChecks(), failureChecks(), memberChecks(), positionChecks(), publishChecks(), tailChecks(), storeChecks(), atomicChecks(), closeChecks(),
	} {
		all = append(all, some...)
	}
	return all
}

// storeChecks are the promises of a store.
func storeChecks() []backendCheck {
	return slices.Concat(recordChecks(), letterChecks(), presenceChecks())
}

func (c backendCheck) test(t *testing.T, open func(testing.TB) any, f Features) {
	t.Helper()
	if missing := f.without(c.needs); missing != "" {
		t.Skipf("the feature %s is not claimed", missing)
	}
	if !f.Synctest {
		c.run(t, open, f)
		return
	}
	synctest.Test(t, func(t *testing.T) { c.run(t, open, f) })
}

// run opens the backend, and checks the promise and what is left behind.
func (c backendCheck) run(tb testing.TB, open func(testing.TB) any, f Features) {
	tb.Helper()
	if !f.Synctest { // where goroutines that are left fail the test anyway
		verifyNothingLeft(tb, orTime(f.Patience, time.Minute))
	}
	b := newBackendBench(tb, f, open(tb))
	c.check(b)
}

// without returns the first of the named features that f lacks, or "".
func (f Features) without(names []string) string {
	for _, name := range names {
		if reflect.ValueOf(f).FieldByName(name).IsZero() {
			return name
		}
	}
	return ""
}

// checkFeatures compares the claims with the interfaces.
func checkFeatures(b *backendBench) {
	has := func(ok bool, name string) {
		b.Helper()
		if claimed := b.features.without([]string{name}) == ""; claimed != ok {
			b.Errorf("Features.%s is %v, but that the backend is a backend.%s is %v", name, claimed, name, ok)
		}
	}
	_, ok := b.subject.(backend.Consumer)
	has(ok, "Consumer")
	_, ok = b.subject.(backend.Positioner)
	has(ok, "Positioner")
	_, ok = b.subject.(backend.DelayedPublisher)
	has(ok, "DelayedPublisher")
	_, ok = b.subject.(backend.Records)
	has(ok, "Records")
	_, ok = b.subject.(backend.Atomic)
	has(ok, "Atomic")
	_, ok = b.subject.(backend.DeadLetters)
	has(ok, "DeadLetters")
	_, ok = b.subject.(backend.DeadLetterCounter)
	has(ok, "DeadLetterCounter")
	_, ok = b.subject.(backend.Admitter)
	has(ok, "Admitter")
	_, ok = b.subject.(backend.LocalPublisher)
	has(ok, "LocalPublisher")
	_, ok = b.subject.(backend.SecretKeeper)
	has(ok, "SecretKeeper")
	_, ok = b.subject.(backend.Tailer)
	has(ok, "Tailer")
	_, ok = b.subject.(backend.Presence)
	has(ok, "Presence")
}
