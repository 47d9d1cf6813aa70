package notifytest

import (
	"context"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

func consumeChecks() []backendCheck {
	return []backendCheck{
		{name: "a consumption is checked", check: checkConsumption},
		{name: "a consumption that has ended", check: checkEndedConsumption},
		{name: "keys one at a time in order", check: checkOrder},
		{name: "a slow key holds up no other", needs: []string{"Concurrent"}, check: checkSlowKey},
		{name: "concurrency is bounded", check: checkConcurrency},
		{name: "batches are bounded", check: checkMaxBatch},
		{name: "the rest of a batch is given back", check: checkGivenBack},
		{name: "messages without a key", check: checkNoKey},
	}
}

func checkConsumption(b *backendBench) {
	handle := b.journal().handle(nil)
	for field, c := range map[string]backend.Consumption{
		"Topic":  {Group: "g", Handle: handle},
		"Group":  {Topic: "t", Handle: handle},
		"Handle": {Topic: "t", Group: "g"},
	} {
		b.soon("Consume", func() {
			if b.consumer.Consume(b.ctx, c) == nil {
				b.Errorf("Consume without a %s: the error is nil", field)
			}
		})
	}
}

func checkEndedConsumption(b *backendBench) {
	b.publish("t", "k", 0, 1)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	j := b.journal()
	b.soon("Consume", func() {
		if err := b.consumer.Consume(ctx, backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(nil)}); err != nil {
			b.Errorf("Consume with a context that has ended: %v", err)
		}
	})
	b.quiet()
	if len(j.deliveries()) > 0 {
		b.Fatalf("Consume delivered something though its context had ended")
	}
}

func checkOrder(b *backendBench) {
	const keys, each = 20, 40
	j := b.journal()
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "t", Group: "g", Concurrency: 4, Handle: j.handle(func(g got) error {
		if g.n%8 == 3 {
			time.Sleep(6 * time.Millisecond) // so that others take over
		}
		return nil
	})})
	for n := range each {
		for k := range keys {
			b.publish("t", strconv.Itoa(k), n, n+1)
		}
	}
	j.complete("all keys", keys*each)
}

func checkSlowKey(b *backendBench) {
	const keys = 300
	j, gate := b.journal(), make(chan struct{})
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "t", Group: "g", Concurrency: 4, Handle: j.handle(func(g got) error {
		if g.key == "slow" {
			b.hold(gate)
		}
		return nil
	})})
	b.publish("t", "slow", 0, 2)
	for k := range keys {
		b.publish("t", strconv.Itoa(k), 0, 1)
	}
	b.eventually("the other keys have passed the slow one", func() bool { return j.count() >= keys })
	if n := j.count("slow"); n > 0 {
		b.Fatalf("the slow key was finished before its handler returned")
	}
	close(gate)
	j.complete("all keys", keys+2)
}

func checkConcurrency(b *backendBench) {
	const keys, most = 60, 3
	j, gate := b.journal(), make(chan struct{})
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "t", Group: "g", Concurrency: most, Handle: j.handle(func(got) error {
		b.hold(gate)
		time.Sleep(20 * time.Millisecond)
		return nil
	})})
	for k := range keys {
		b.publish("t", strconv.Itoa(k), 0, 1)
	}
	busy := !b.features.Concurrent || b.comesTrue(func() bool { return j.busiest() >= most })
	close(gate)
	j.complete("slow keys", keys)
	if n := j.busiest(); n > most || !busy {
		b.Fatalf("%d messages were handled at once, with a Concurrency of %d", n, most)
	}
}

func checkMaxBatch(b *backendBench) {
	const n = 50
	j := b.journal()
	b.fix("t", "g", backend.FromOldest())
	if b.features.Kept {
		b.publish("t", "k", 0, n)
	}
	b.consume(backend.Consumption{Topic: "t", Group: "g", MaxBatch: 3, Handle: j.handle(nil)})
	if !b.features.Kept {
		b.publish("t", "k", 0, n)
	}
	j.complete("small batches", n)
	for _, g := range j.deliveries() {
		if g.length > 3 {
			b.Fatalf("a batch had %d messages, with a MaxBatch of 3", g.length)
		}
	}
}

func checkGivenBack(b *backendBench) {
	const n = 60
	j := b.journal()
	handle := j.handle(nil)
	calls := 0
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{
		Topic: "t", Group: "g",
		Handle: func(ctx context.Context, batch *backend.Batch) (int, error) {
			if batch.Attempt != 1 {
				j.complain("what was given back came as attempt %d", batch.Attempt)
			}
			switch calls++; calls % 4 {
			case 1:
				return 0, nil // all of it
			case 2:
				if !batch.Next() {
					return 0, nil
				}
				claimed := backend.NewBatch(batch.Attempt, batch.Message())
				return handle(ctx, claimed) // but one
			default:
				return handle(ctx, batch)
			}
		},
	})
	b.publish("t", "k", 0, n)
	j.complete("what was given back", n)
}

func checkNoKey(b *backendBench) {
	const n = 50
	j := b.journal()
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "t", Group: "g", Concurrency: 4, Handle: j.handle(nil)})
	b.publish("t", "", 0, n)
	b.publish("t", "k", 0, n)
	j.complete("with a key and without", 2*n)
}
