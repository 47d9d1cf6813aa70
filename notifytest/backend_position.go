package notifytest

import (
	"context"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

func positionChecks() []backendCheck {
	needs := []string{"Positioner", "Ordered", "Kept"}
	return []backendCheck{
		{name: "a position is fixed at once", needs: needs, check: checkFix},
		{name: "a position can be renamed", needs: needs, check: checkRename},
		{name: "a position can be forgotten", needs: needs, check: checkForget},
		{name: "lag and catching up", needs: needs, check: checkLag},
	}
}

func (b *backendBench) positions() backend.Positioner { return b.subject.(backend.Positioner) }

// reads sees that a group gets the messages from <= n < to of the key "k", and
// catches up.
func (b *backendBench) reads(group string, from, to int) {
	b.Helper()
	j := b.journal().from("k", from)
	leave := b.consume(backend.Consumption{Topic: "t", Group: group, Handle: j.handle(nil)})
	j.complete("group "+group, to-from)
	b.soon("CatchUp", func() {
		if err := b.positions().CatchUp(b.ctx, "t", group); err != nil {
			b.Errorf("CatchUp: %v", err)
		}
	})
	leave()
}

func checkFix(b *backendBench) {
	b.publish("t", "k", 0, 5)
	time.Sleep(20 * time.Millisecond)
	mark := time.Now()
	time.Sleep(20 * time.Millisecond)
	b.publish("t", "k", 5, 8)
	b.fix("t", "now", backend.FromNow())
	b.fix("t", "later", backend.FromTime(time.Now().Add(time.Hour)))
	b.publish("t", "k", 8, 10)
	b.fix("t", "now", backend.FromOldest()) // the first holds
	b.fix("t", "oldest", backend.FromOldest())
	b.fix("t", "time", backend.FromTime(mark))
	b.reads("oldest", 0, 10)
	b.reads("time", 5, 10)
	b.reads("now", 8, 10)
	b.reads("none", 0, 10) // a group without a position starts at the oldest
}

func checkRename(b *backendBench) {
	b.fix("t", "old", backend.FromOldest())
	b.publish("t", "k", 0, 3)
	b.reads("old", 0, 3)
	b.publish("t", "k", 3, 5)
	b.must(b.positions().Rename(b.ctx, "t", "old", "new"), "Rename")
	b.reads("new", 3, 5)
	b.must(b.positions().Rename(b.ctx, "t", "nobody", "new"), "Rename of a group without a position")
	b.fix("t", "old", backend.FromOldest())
	b.must(b.positions().Rename(b.ctx, "t", "old", "new"), "Rename to a group with a position")
	b.reads("new", 5, 5)
	b.reads("old", 0, 5)
}

func checkForget(b *backendBench) {
	b.must(b.positions().Forget(b.ctx, "t", "nobody"), "Forget of a group without a position")
	b.fix("t", "g", backend.FromOldest())
	b.publish("t", "k", 0, 3)
	b.reads("g", 0, 3)
	b.must(b.positions().Forget(b.ctx, "t", "g"), "Forget")
	b.publish("t", "k", 3, 5)
	b.fix("t", "g", backend.FromNow())
	b.publish("t", "k", 5, 6)
	b.reads("g", 5, 6)
}

func checkLag(b *backendBench) {
	lag := func(want int64) {
		b.Helper()
		n, err := b.positions().Lag(b.ctx, "t", "g")
		b.must(err, "Lag")
		if n != want {
			b.Fatalf("Lag is %d, and %d messages are not finished", n, want)
		}
	}
	b.fix("t", "g", backend.FromNow())
	lag(0)
	b.must(b.positions().CatchUp(b.ctx, "t", "g"), "CatchUp where nothing is")
	b.publish("t", "k", 0, 4)
	b.publish("t", "good", 0, 3)
	lag(7)
	short, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	b.mustBe(b.positions().CatchUp(short, "t", "g"), context.DeadlineExceeded, "CatchUp while nobody consumes")

	j, gate := b.journal(), make(chan struct{})
	b.consume(backend.Consumption{
		Topic: "t", Group: "g", Concurrency: 2,
		Backoff: func(int, error) time.Duration { return 20 * time.Millisecond },
		Handle: j.handle(func(g got) error {
			select {
			case <-gate:
				return nil
			default:
			}
			if g.key == "k" {
				return errFailed
			}
			return nil
		}),
	})
	b.eventually("the other key is finished", func() bool { return j.count("good") == 3 })
	b.eventually("Lag is 4, as many as are not finished", func() bool {
		n, err := b.positions().Lag(b.ctx, "t", "g")
		b.must(err, "Lag")
		return n == 4
	})
	b.quiet()
	lag(4)
	caughtUp := make(chan error, 1)
	go func() { caughtUp <- b.positions().CatchUp(b.ctx, "t", "g") }()
	b.quiet()
	select {
	case <-caughtUp:
		b.Fatalf("CatchUp returned while a message was parked")
	default:
	}
	close(gate)
	b.soon("CatchUp", func() {
		if err := <-caughtUp; err != nil {
			b.Errorf("CatchUp: %v", err)
		}
	})
	j.complete("after they were parked", 7)
	lag(0)
}
