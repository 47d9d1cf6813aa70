package notifytest

import (
	"io"
	"strconv"
	"sync"

	"github.com/seed-6c01d079/notify/backend"
)

func presenceChecks() []backendCheck {
	return []backendCheck{{name: "who is present", needs: []string{"Presence"}, check: checkPresence}}
}

func checkPresence(b *backendBench) {
	p := b.subject.(backend.Presence)
	is := func(owner string, want bool, when string) {
		b.Helper()
		if got := p.Present(owner); got != want {
			b.Fatalf("Present of %q is %v %s", owner, got, when)
		}
	}
	is("a", false, "before it entered")
	leaveA, leaveB := p.Enter("a"), p.Enter("b")
	is("a", true, "after it entered")
	is("b", true, "after it entered")
	is("c", false, "though it never entered")
	leaveA()
	is("a", false, "after it left")
	is("b", true, "after another left")
	again := p.Enter("a")
	leaveA()
	is("a", true, "after it entered again, and left for the first time once more")
	twice := p.Enter("a")
	again()
	is("a", true, "after it entered twice and left once")
	twice()
	is("a", false, "after it left as often as it entered")

	var all sync.WaitGroup
	for n := range 32 {
		all.Go(func() {
			owner := strconv.Itoa(n)
			for range 20 {
				leave := p.Enter(owner)
				if !p.Present(owner) {
					b.Errorf("Present of %q is false while others enter and leave", owner)
				}
				leave()
			}
			if p.Present(owner) {
				b.Errorf("Present of %q is true after it left, while others enter and leave", owner)
			}
		})
	}
	all.Wait()
	is("b", true, "after others entered and left")
	if closer, ok := b.subject.(io.Closer); ok { // what is under way then, is present until it is over
		b.must(closer.Close(), "Close")
		is("b", true, "after Close, before it left")
	}
	leaveB()
	is("b", false, "after it left")
}
