package notify

import (
	"flag"
	"strings"
	"testing"
	"time"
)

var (
	protocolAll     = flag.Bool("protocol.all", false, "strike at every move, in every way")
	protocolWithout = flag.Int("protocol.without", 0, "switch off the rule of that number, 1 to 12, to see the tests fail")
	protocolOffset  = flag.Int("protocol.offset", 0, "which of the moves to strike at, when not at all of them")
)

// switchedOff is the rule that -protocol.without names.
func switchedOff() rule {
	if *protocolWithout == 0 {
		return 0
	}
	return 1 << (*protocolWithout - 1)
}

// fates are the ways in which a process is struck at one move. The short
// freeze ends just after the lease of a call, and the long one after all is
// over.
func fates(at int) []fate {
	var all []fate
	for _, after := range []bool{false, true} {
		for _, freeze := range []time.Duration{0, 17 * time.Second, 10 * time.Minute} {
			all = append(all, fate{at: at, after: after, freeze: freeze})
		}
	}
	return all
}

// stride tells how many of the fates one stands for.
func stride() int {
	switch {
	case *protocolAll:
		return 1
	case testing.Short():
		return 61
	default:
		return 17
	}
}

func requireNone(t *testing.T, f fate, out outcome) {
	t.Helper()
	if len(out.violations) > 0 {
		t.Fatalf("%+v:\n%s\n\n%s", f, strings.Join(out.violations, "\n"), out.trace)
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
				out := s.run(t, v, fate{}, switchedOff())
				requireNone(t, fate{}, out)
				n := *protocolOffset + i
				for at := 1; at <= len(out.moves); at++ {
					for _, f := range fates(at) {
						if n++; n%stride() != 0 {
							continue
						}
						struck := s.run(t, v, f, switchedOff())
						requireNone(t, f, struck)
					}
				}
			})
		}
	}
}
