package notifytest

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

func memberChecks() []backendCheck {
	return []backendCheck{
		{name: "every group gets everything", check: checkGroups},
		{name: "a slow group holds up no other", check: checkSlowGroup},
		{name: "members share", needs: []string{"Shared"}, check: checkMembers},
		{name: "what is under way may finish", check: checkFinishing},
		{name: "others take over from who leaves", needs: []string{"Shared", "Ordered"}, check: checkTakeover},
		{name: "positions outlive members", needs: []string{"Shared", "Kept"}, check: checkPositionOutlives},
	}
}

func checkGroups(b *backendBench) {
	const groups, keys = 5, 40
	var all []*journal
	for g := range groups {
		j := b.journal()
		all = append(all, j)
		b.fix("t", strconv.Itoa(g), backend.FromOldest())
		b.consume(backend.Consumption{Topic: "t", Group: strconv.Itoa(g), Concurrency: 2, Handle: j.handle(nil)})
	}
	elsewhere := b.journal()
	b.fix("other", "0", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "other", Group: "0", Handle: elsewhere.handle(nil)})
	for k := range keys {
		b.publish("t", strconv.Itoa(k), 0, 2)
	}
	b.publish("other", "k", 0, 3)
	for g, j := range all {
		j.complete("group "+strconv.Itoa(g), 2*keys)
	}
	elsewhere.complete("another topic", 3)
}

func checkSlowGroup(b *backendBench) {
	const n = 200
	stuck, brisk, gate := b.journal(), b.journal(), make(chan struct{})
	b.fix("t", "stuck", backend.FromOldest())
	b.fix("t", "brisk", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "t", Group: "stuck", Handle: stuck.handle(func(got) error {
		b.hold(gate)
		return nil
	})})
	b.consume(backend.Consumption{Topic: "t", Group: "brisk", Handle: brisk.handle(nil)})
	b.publish("t", "k", 0, 1)
	b.eventually("a group is stuck", func() bool { return len(stuck.deliveries()) > 0 })
	b.publish("t", "k", 1, n)
	brisk.complete("beside a group that is stuck", n)
	close(gate)
	stuck.complete("the group that was stuck", n)
}

func checkMembers(b *backendBench) {
	const members, round = 3, 120
	j := b.journal()
	parts := make([]int, members)
	b.fix("t", "g", backend.FromOldest())
	for i := range members {
		b.consume(backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(func(got) error {
			time.Sleep(10 * time.Millisecond)
			j.mu.Lock()
			defer j.mu.Unlock()
			parts[i]++
			return nil
		})})
	}
	keys := 0
	joined := b.comesTrue(func() bool { // which may take a member long
		if j.count() < keys {
			return false
		}
		j.mu.Lock()
		all := keys > 0 && !slices.Contains(parts, 0)
		j.mu.Unlock()
		for end := keys + round; !all && keys < end; keys++ {
			b.publish("t", strconv.Itoa(keys), 0, 1)
		}
		return all
	})
	j.complete("all members", keys)
	if !joined {
		b.Fatalf("a member of %d got nothing: %v", members, parts)
	}
}

// checkFinishing ends a member while its handler is at work.
func checkFinishing(b *backendBench) {
	type key struct{}
	j, gate := b.journal(), make(chan struct{})
	begun := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
	b.Cleanup(func() { b.end(); cancel() })
	ended := make(chan error, 1)
	b.fix("t", "g", backend.FromOldest())
	joined := b.joining()
	go func() {
		handle := j.handle(func(got) error {
			begun <- struct{}{}
			b.hold(gate)
			return nil
		})
		ended <- b.consumer.Consume(ctx, backend.Consumption{
			Topic: "t", Group: "g",
			Handle: func(ctx context.Context, batch *backend.Batch) (int, error) {
				done, err := handle(ctx, batch)
				if ctx.Err() != nil {
					j.complain("the handler's context was canceled with Consume's")
				}
				if ctx.Value(key{}) != "value" {
					j.complain("the handler's context lacks the values of Consume's")
				}
				return done, err
			},
		})
	}()
	joined()
	b.publish("t", "k", 0, 3)
	b.eventually("a handler is at work", func() bool { return len(begun) > 0 })
	cancel()
	b.quiet()
	select {
	case <-ended:
		b.Fatalf("Consume returned before its handler did")
	default:
	}
	close(gate)
	b.soon("Consume", func() {
		if err := <-ended; err != nil {
			b.Errorf("Consume: %v", err)
		}
	})
	j.right("a member that leaves")
	if n := len(j.deliveries()); n != 1 {
		b.Fatalf("after its end, Consume handed out %d more messages", n-1)
	}
}

func checkTakeover(b *backendBench) {
	const n, keys = 30, 20
	j, gate := b.journal(), make(chan struct{})
	b.fix("t", "g", backend.FromOldest())
	leave := b.consume(backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(func(g got) error {
		b.hold(gate)
		return nil
	})})
	b.publish("t", "k", 0, n)
	b.eventually("the first member is at work", func() bool { return len(j.deliveries("k")) > 0 })
	for k := range keys {
		b.publish("t", strconv.Itoa(k), 0, 1)
	}
	left := make(chan struct{})
	go func() { defer close(left); leave() }()
	b.consume(backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(nil)})
	b.quiet()
	if j.count("k") > 0 {
		b.Fatalf("a key went on elsewhere while one of its messages was in hand")
	}
	close(gate)
	<-left
	j.complete("the member that took over", n+keys)
}

func checkPositionOutlives(b *backendBench) {
	j := b.journal()
	b.fix("t", "g", backend.FromOldest())
	b.publish("t", "k", 0, 3)
	for to := 3; to <= 9; to += 3 {
		leave := b.consume(backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(nil)})
		j.complete("one member after the other", to)
		leave()
		b.publish("t", "k", to, to+3)
	}
}
