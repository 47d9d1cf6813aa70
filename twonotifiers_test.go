package notify

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	protocolAll     = flag.Bool("protocol.all", false, "strike at every move, in every way")
	protocolWithout = flag.Int("protocol.without", 0, "switch off the rule of that number, 1 to 14, to see the tests fail")
	protocolOffset  = flag.Int("protocol.offset", 0, "where to begin, when not all fates are played: 0 to 28 are all of them")
)

// switchedOff is the rule that -protocol.without names.
func switchedOff() rule {
	if *protocolWithout == 0 {
		return 0
	}
	return 1 << (*protocolWithout - 1)
}

// fates are the ways in which a process is struck at one move, which is known
// by what it is: two runs need not make as many moves, since a step that begins
// before its work was marked as published publishes it once more. The short
// freeze ends just after the lease of a call, and the long one after all is
// over.
func fates(kind string, at int) []fate {
	var all []fate
	for _, after := range []bool{false, true} {
		for _, freeze := range []time.Duration{0, 17 * time.Second, 10 * time.Minute} {
			all = append(all, fate{kind: kind, at: at, after: after, freeze: freeze})
		}
		if !strings.HasPrefix(kind, acknowledge) {
			all = append(all, fate{kind: kind, at: at, after: after, fails: true})
		}
	}
	return all
}

// stride tells how many of the fates one stands for: all of them take minutes,
// and with the race detector far more.
func stride() int {
	switch {
	case *protocolAll:
		return 1
	case testing.Short():
		return 307
	default:
		return 29
	}
}

// strike plays the scenario, with the victim struck at each of its moves in each
// way, or at one of stride of them. Where two things fall on one instant, a move
// may come in one run in many: of those, no more than one kind may be missed.
func (s scenario) strike(t *testing.T, v variant, offset, stride int) {
	t.Helper()
	out := s.run(t, v, fate{}, switchedOff())
	requireNone(t, fate{}, out)
	n := *protocolOffset + offset
	times, missed := map[string]int{}, map[string]bool{}
	for _, kind := range out.moves {
		times[kind]++
		for _, f := range fates(kind, times[kind]) {
			if n++; n%stride != 0 {
				continue
			}
			if s.struck(t, v, f) || f.at > 1 || strings.HasSuffix(kind, stale) {
				continue
			}
			befalls := false
			for again := 0; again < 3 && !befalls; again++ {
				befalls = s.struck(t, v, f)
			}
			if !befalls {
				missed[kind] = true
			}
		}
	}
	require.LessOrEqual(t, len(missed), 1, "moves that no fate befell: %v", missed)
}

// struck plays the scenario with that fate, and tells whether it befell the victim.
func (s scenario) struck(t *testing.T, v variant, f fate) bool {
	t.Helper()
	out := s.run(t, v, f, switchedOff())
	requireNone(t, f, out)
	return out.struck == f.kind
}

func requireNone(t *testing.T, f fate, out outcome) {
	t.Helper()
	if len(out.violations) > 0 {
		t.Fatalf("%+v, then %+v:\n%s\n\n%s", f, f.then, strings.Join(out.violations, "\n"), out.trace)
	}
}

// TestTwoNotifiers strikes one of two processes at every one of its moves, and
// checks that the other makes good what it left.
func TestTwoNotifiers(t *testing.T) {
	t.Parallel()
	for _, v := range variants {
		for i, s := range scenarios {
			t.Run(v.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				s.strike(t, v, i, stride())
			})
		}
	}
}

// TestNotifiersInTurn kills a process at every one of its moves, while the one
// that comes after it does not wait for its leases.
func TestNotifiersInTurn(t *testing.T) {
	t.Parallel()
	for i, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			moves := s.run(t, inTurn, fate{}, switchedOff()).moves
			n := *protocolOffset + i
			times := map[string]int{}
			for _, kind := range moves {
				times[kind]++
				for _, after := range []bool{false, true} {
					if n++; n%(stride()/4+1) == 0 {
						f := fate{kind: kind, at: times[kind], after: after}
						requireNone(t, f, s.run(t, inTurn, f, switchedOff()))
					}
				}
			}
		})
	}
}

// Who is taken for dead while he lives loses his call to another: so nothing but
// the end of a process may count as that.
func TestTheLivingAreNotTakenForDead(t *testing.T) {
	t.Parallel()
	deluded := inTurn
	deluded.wrap = func(p *process) Backend { return nobodyIsPresent{inTurn.wrap(p).(present)} }
	f := fate{kind: "call email", at: 1, freeze: 17 * time.Second}
	requireNone(t, f, scenarioNamed("first takes it").run(t, inTurn, f, 0))
	requireBroken(t, "3", scenarioNamed("first takes it").run(t, deluded, f, 0).violations)
}

type nobodyIsPresent struct{ present }

func (nobodyIsPresent) Present(string) bool { return false }

// TestTwoNotifiersFreezeInTurn freezes the second process too, while it makes
// good what the first one left: that goes on with what it knew meanwhile.
func TestTwoNotifiersFreezeInTurn(t *testing.T) {
	t.Parallel()
	const freeze = 17 * time.Second
	for _, v := range variants {
		for i, s := range scenarios {
			t.Run(v.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				moves := s.run(t, v, fate{}, switchedOff()).moves
				n := *protocolOffset + i
				times := map[string]int{}
				for _, kind := range moves {
					times[kind]++
					for then := 1; then <= 12; then++ {
						for _, after := range []bool{false, true} {
							if n++; n%(11*stride()) == 0 {
								f := fate{kind: kind, at: times[kind], after: n%3 == 0, freeze: freeze}
								f.then = &fate{at: then, after: after, freeze: freeze}
								requireNone(t, f, s.run(t, v, f, switchedOff()))
							}
						}
					}
				}
			})
		}
	}
}

// TestTwoNotifiersWithoutSweep strikes likewise while nothing sweeps: on a
// backend that holds delayed work, work that was acknowledged is never needed
// again, and what was not brings everything back. Only the end of a receipt
// window, and what is reported after Settled, has no work.
func TestTwoNotifiersWithoutSweep(t *testing.T) {
	t.Parallel()
	for _, v := range variants[:2] {
		for i, s := range scenarios {
			if s.awaits {
				continue
			}
			s.noSweep, s.reports = true, false
			t.Run(v.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				every := stride()
				if every > 1 {
					every = 2*every + 1
				}
				s.strike(t, v, i, every)
			})
		}
	}
}
