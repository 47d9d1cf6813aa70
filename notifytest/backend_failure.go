package notifytest

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

func failureChecks() []backendCheck {
	return []backendCheck{
		{name: "a failed message comes again", check: checkRedelivery},
		{name: "a failing key stops no other", needs: []string{"Concurrent"}, check: checkPoison},
		{name: "a parked key queues in order", needs: []string{"Ordered"}, check: checkParked},
		{name: "the default pause doubles", needs: []string{"Synctest"}, check: checkDefaultBackoff},
	}
}

var errFailed = errors.New("failed")

func checkRedelivery(b *backendBench) {
	const fails, pause = 3, 30 * time.Millisecond
	j := b.journal()
	var asked atomic.Int64
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{
		Topic: "t", Group: "g",
		Backoff: func(attempt int, err error) time.Duration {
			if want := asked.Add(1); int64(attempt) != want {
				j.complain("Backoff was asked about attempt %d after %d failures", attempt, want)
			}
			if !errors.Is(err, errFailed) {
				j.complain("Backoff was asked about the error %v", err)
			}
			return pause
		},
		Handle: j.handle(func(g got) error {
			if g.attempt > 1 && g.length != 1 {
				j.complain("it came again in a batch of %d", g.length)
			}
			if g.key == "bad" && g.attempt <= fails {
				return errFailed
			}
			return nil
		}),
	})
	b.publish("t", "good", 0, 5)
	b.publish("t", "bad", 0, 1)
	b.publish("t", "other", 0, 5)
	j.complete("with one that fails", 11)
	bad := j.deliveries("bad")
	if len(bad) != fails+1 {
		b.Fatalf("it was delivered %d times, and failed %d times", len(bad), fails)
	}
	for i, g := range bad {
		if g.attempt != i+1 {
			b.Fatalf("delivery %d has the Attempt %d", i+1, g.attempt)
		}
		if i == 0 {
			continue
		}
		if waited := g.at.Sub(bad[i-1].at); waited < pause-5*time.Millisecond {
			b.Fatalf("it came again after %v, before its pause of %v was over", waited, pause)
		}
	}
}

func checkPoison(b *backendBench) {
	const keys, poisoned = 200, 5
	j := b.journal()
	var heal atomic.Bool
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{
		Topic: "t", Group: "g", Concurrency: 2,
		Backoff: func(int, error) time.Duration { return 20 * time.Millisecond },
		Handle: j.handle(func(g got) error {
			if k, _ := strconv.Atoi(g.key); k < poisoned && !heal.Load() {
				return errFailed
			}
			return nil
		}),
	})
	for n := range 2 {
		for k := range keys {
			b.publish("t", strconv.Itoa(k), n, n+1)
		}
	}
	b.eventually("the keys that do not fail are finished", func() bool { return j.count() >= 2*(keys-poisoned) })
	if j.count() != 2*(keys-poisoned) {
		b.Fatalf("a failing key was finished")
	}
	heal.Store(true)
	j.complete("after the others have recovered", 2*keys)
}

func checkParked(b *backendBench) {
	const n = 40
	j := b.journal()
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{
		Topic: "t", Group: "g", Concurrency: 3,
		Backoff: func(int, error) time.Duration { return 50 * time.Millisecond },
		Handle: j.handle(func(g got) error {
			if g.n%10 == 0 && g.attempt < 3 {
				return errFailed
			}
			return nil
		}),
	})
	b.publish("t", "k", 0, n/2)
	b.eventually("the first has failed", func() bool { return len(j.deliveries("k")) > 0 })
	b.publish("t", "k", n/2, n)
	j.complete("a key that fails now and then", n)
}

func checkDefaultBackoff(b *backendBench) {
	const fails = 13
	j := b.journal()
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(func(g got) error {
		if g.attempt <= fails {
			return errFailed
		}
		return nil
	})})
	b.publish("t", "k", 0, 1)
	time.Sleep(time.Hour)
	j.complete("one that fails", 1)
	all := j.deliveries("k")
	for i := range all[1:] {
		want := min(100*time.Millisecond<<i, time.Minute)
		if pause := all[i+1].at.Sub(all[i].at); pause < want/2 || pause > want {
			b.Fatalf("the pause after attempt %d was %v; the default is %v", i+1, pause, want)
		}
	}
}
