package notify

import (
	"flag"
	"strings"
	"testing"
	"time"
)

var (
	protocolAll    = flag.Bool("protocol.all", false, "strike at every move, in every way")
	protocolOffset = flag.Int("protocol.offset", 0, "which of the moves to strike at, when not at all of them")
)

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

// stride is how many of the fates the test passes over.
func stride() int {
	switch {
	case *protocolAll:
		return 1
	case testing.Short():
		return 41
	default:
		return 1
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
		for _, s := range scenarios {
			t.Run(v.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				out := s.run(t, v, fate{}, 0)
				requireNone(t, fate{}, out)
				n := *protocolOffset
				for at := 1; at <= out.moves; at++ {
					for _, f := range fates(at) {
						if n++; n%stride() != 0 {
							continue
						}
						struck := s.run(t, v, f, 0)
						requireNone(t, f, struck)
					}
				}
				t.Logf("%d moves", out.moves)
			})
		}
	}
}
