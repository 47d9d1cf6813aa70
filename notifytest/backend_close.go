package notifytest

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

func closeChecks() []backendCheck {
	return []backendCheck{
		{name: "closing ends consuming", check: checkCloseEnds},
		{name: "a closed backend says so", check: checkClosed},
	}
}

func checkCloseEnds(b *backendBench) {
	j := b.journal()
	b.fix("consumed", "g", backend.FromOldest())
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	joined := b.joining()
	go func() {
		ended <- b.consumer.Consume(ctx, backend.Consumption{
			Topic: "consumed", Group: "g", Concurrency: 4,
			Backoff: func(int, error) time.Duration { return time.Hour },
			Handle: j.handle(func(g got) error {
				if g.key == "bad" {
					return errFailed
				}
				return nil
			}),
		})
	}()
	joined()
	_, messages := b.subscribe("watermill")
	b.publish("t", "unread", 0, 1)
	b.publish("consumed", "good", 0, 5)
	b.publish("consumed", "bad", 0, 1)
	b.eventually("one has failed", func() bool { return len(j.deliveries("bad")) == 1 })
	if d, ok := b.subject.(backend.DelayedPublisher); ok {
		b.must(d.PublishAt(b.ctx, time.Now().Add(24*time.Hour), "t", wire("later", 0)), "PublishAt")
	}
	b.soon("Close", func() {
		if err := b.subject.(backend.Backend).Close(); err != nil {
			b.Errorf("Close: %v", err)
		}
	})
	b.soon("after Close, Consume", func() { <-ended })
	b.soon("after Close, the channel of a subscription", func() {
		for range messages {
		}
	})
}

func checkClosed(b *backendBench) {
	carrier := b.subject.(backend.Backend)
	sub, err := carrier.Subscriber("g")
	b.must(err, "Subscriber")
	b.must(carrier.Close(), "Close")
	calls := map[string]func() error{
		"Publisher":  func() error { _, err := carrier.Publisher(); return err },
		"Subscriber": func() error { _, err := carrier.Subscriber("g"); return err },
		"Publish":    func() error { return b.publisher.Publish("t", wire("k", 0)) },
		"Subscribe":  func() error { _, err := sub.Subscribe(b.ctx, "t"); return err },
		"Consume": func() error {
			return b.consumer.Consume(b.ctx, backend.Consumption{Topic: "t", Group: "g", Handle: b.journal().handle(nil)})
		},
	}
	b.addClosedPowers(calls)
	for name, call := range calls {
		b.soon(name+" of a closed backend", func() {
			if err := call(); !errors.Is(err, backend.ErrClosed) {
				b.Errorf("%s of a closed backend: the error is %v, and does not wrap backend.ErrClosed", name, err)
			}
		})
	}
}

// addClosedPowers adds the calls of the optional interfaces.
func (b *backendBench) addClosedPowers(calls map[string]func() error) {
	ctx := b.ctx
	if p, ok := b.subject.(backend.Positioner); ok {
		calls["Fix"] = func() error { return p.Fix(ctx, "t", "g", backend.FromNow()) }
		calls["Rename"] = func() error { return p.Rename(ctx, "t", "g", "h") }
		calls["Forget"] = func() error { return p.Forget(ctx, "t", "g") }
		calls["Lag"] = func() error { _, err := p.Lag(ctx, "t", "g"); return err }
		calls["CatchUp"] = func() error { return p.CatchUp(ctx, "t", "g") }
	}
	if p, ok := b.subject.(backend.DelayedPublisher); ok {
		calls["PublishAt"] = func() error { return p.PublishAt(ctx, time.Now().Add(time.Hour), "t", wire("k", 0)) }
	}
	if a, ok := b.subject.(backend.Admitter); ok {
		calls["Admit"] = func() error { return a.Admit(ctx, "t", 1, true) }
	}
	if p, ok := b.subject.(backend.LocalPublisher); ok {
		calls["PublishLocal"] = func() error { return p.PublishLocal(time.Now(), "t", valueOf(local("k", 0))) }
	}
	if r, ok := b.subject.(backend.Records); ok {
		calls["Load"] = func() error { _, err := r.Load(ctx, "id"); return err }
		calls["LoadAlias"] = func() error { _, err := r.LoadAlias(ctx, "alias"); return err }
		calls["Store"] = func() error { _, err := r.Store(ctx, backend.Record{ID: "id", Body: backend.Bytes("b")}); return err }
		calls["Due"] = func() error { _, _, err := r.Due(ctx, time.Now(), 1); return err }
		calls["Expire"] = func() error { _, err := r.Expire(ctx, time.Now(), 1); return err }
		calls["Delete"] = func() error { return r.Delete(ctx, "id", 1) }
	}
	if a, ok := b.subject.(backend.Atomic); ok {
		calls["Commit"] = func() error {
			_, err := a.Commit(ctx, backend.Record{ID: "id", Body: backend.Bytes("b")}, []backend.Publication{{Topic: "t", Message: wire("k", 0)}})
			return err
		}
	}
	if l, ok := b.subject.(backend.DeadLetters); ok {
		calls["Bury"] = func() error {
			_, _, err := l.Bury(ctx, backend.DeadLetter{Group: "g", Topic: "t", Message: message.NewMessage("id", nil)})
			return err
		}
		calls["Letters"] = func() error { _, err := l.Letters(ctx, "", "", 1); return err }
		calls["Unbury"] = func() error { return l.Unbury(ctx, "1") }
	}
	if l, ok := b.subject.(backend.DeadLetterCounter); ok {
		calls["CountLetters"] = func() error { _, err := l.CountLetters(ctx); return err }
	}
}
