package notify

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// types counts events by type, until they are added to what the observer has
// counted: those of few types, without allocating.
type types struct {
	used int
	all  [8]typeCount
}

type typeCount struct {
	kind *eventKind
	n    int
}

// add counts an event, unless there is no room for its type.
func (t *types) add(kind *eventKind) bool {
	for i := range t.all[:t.used] {
		if t.all[i].kind == kind {
			t.all[i].n++
			return true
		}
	}
	if t.used == len(t.all) {
		return false
	}
	t.all[t.used] = typeCount{kind, 1}
	t.used++
	return true
}

// kindCounters are an observer's, by type of event. There are as many as types
// that its Notifier knows, and one.
type kindCounters struct {
	last atomic.Pointer[kindCounter] // most events of a fast observer are of one type

	mu  sync.Mutex // guards the following
	all map[*eventKind]*kindCounter
}

type kindCounter struct {
	kind               *eventKind
	invocations, nanos atomic.Int64
}

// handled adds what was counted in t, n invocations that took that long
// together, and empties it.
func (k *kindCounters) handled(own *codec, t *types, n int, took time.Duration) {
	left, rest := int64(took), int64(n)
	for i := range t.all[:t.used] {
		one := &t.all[i]
		share := left / rest * int64(one.n)
		if int64(one.n) == rest {
			share = left
		}
		left, rest = left-share, rest-int64(one.n)
		c := k.of(own, one.kind)
		c.invocations.Add(int64(one.n))
		c.nanos.Add(share)
	}
	t.used = 0
}

func (k *kindCounters) of(own *codec, kind *eventKind) *kindCounter {
	if c := k.last.Load(); c != nil && c.kind == kind {
		return c
	}
	if kind.codec != own { // Notifiers that share a backend have kinds of their own
		if kind = own.kindOf(kind.event); kind == nil {
			kind = &own.foreign
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.all[kind]
	if c == nil {
		if k.all == nil {
			k.all = map[*eventKind]*kindCounter{}
		}
		c = &kindCounter{kind: kind}
		k.all[kind] = c
	}
	k.last.Store(c)
	return c
}

func (k *kindCounters) snapshot() []EventStats {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []EventStats
	for kind, c := range k.all {
		all = append(all, EventStats{Type: kind.name, Invocations: c.invocations.Load(), Total: time.Duration(c.nanos.Load())})
	}
	slices.SortFunc(all, func(a, b EventStats) int { return cmp.Compare(a.Type, b.Type) })
	return all
}
