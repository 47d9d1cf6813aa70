package notifytest

import (
	"bytes"
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

func publishChecks() []backendCheck {
	return []backendCheck{
		{name: "what is published arrives unchanged", check: checkArrival},
		{name: "subscribers of Watermill", check: checkSubscriber},
		{name: "handles can be closed", check: checkHandles},
		{name: "delayed messages", needs: []string{"DelayedPublisher", "Ordered", "Kept"}, check: checkDelayed},
		{name: "admission", needs: []string{"Admitter", "MaxWork"}, check: checkAdmit},
		{name: "local messages", needs: []string{"LocalPublisher"}, check: checkLocal},
		{name: "secrets", needs: []string{"SecretKeeper"}, check: checkSecrets},
	}
}

func checkArrival(b *backendBench) {
	sent := wire("k", 7)
	sent.Metadata.Set("ce_source", "Grüße, 世界")
	sent.Payload = []byte("7")
	j := b.journal().from("k", 7)
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(nil)})
	b.must(b.publisher.Publish("t", sent.Copy()), "Publish")
	j.complete("one message", 1)
	arrived := j.deliveries()[0].message
	if !arrived.Equals(sent) {
		b.Fatalf("a message with metadata %v arrived with metadata %v, or with another ID or payload", sent.Metadata, arrived.Metadata)
	}
}

// receive reads one message of a subscription.
func (b *backendBench) receive(from <-chan *message.Message) *message.Message {
	b.Helper()
	late := time.NewTimer(b.features.Patience)
	defer late.Stop()
	select {
	case m, open := <-from:
		if !open {
			b.Fatalf("the subscription's channel was closed")
		}
		return m
	case <-late.C:
		b.Fatalf("after %v, the subscription had no message", b.features.Patience)
	}
	return nil
}

// subscribe returns a subscription of the group to the topic "t".
func (b *backendBench) subscribe(group string) (message.Subscriber, <-chan *message.Message) {
	b.Helper()
	sub, err := b.subject.(backend.Backend).Subscriber(group)
	b.must(err, "Subscriber")
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	messages, err := sub.Subscribe(ctx, "t")
	b.must(err, "Subscribe")
	if !b.features.Kept {
		b.quiet()
	}
	return sub, messages
}

func checkSubscriber(b *backendBench) {
	b.fix("t", "one", backend.FromOldest())
	b.fix("t", "two", backend.FromOldest())
	_, one := b.subscribe("one")
	_, two := b.subscribe("two")
	for n := range 3 {
		b.publish("t", "k", n, n+1)
		for group, messages := range map[string]<-chan *message.Message{"one": one, "two": two} {
			for range 3 { // nacked twice
				m := b.receive(messages)
				if m.UUID != wire("k", n).UUID {
					b.Fatalf("group %s got %s, not %s", group, m.UUID, wire("k", n).UUID)
				}
				m.Nack()
			}
			b.receive(messages).Ack()
		}
	}
}

func checkHandles(b *backendBench) {
	carrier := b.subject.(backend.Backend)
	pub, err := carrier.Publisher()
	b.must(err, "Publisher")
	b.must(pub.Close(), "Close of a publisher")
	b.fix("t", "g", backend.FromOldest())
	sub, messages := b.subscribe("g")
	b.must(sub.Close(), "Close of a subscriber")
	b.eventually("the channel of the closed subscriber is closed", func() bool {
		select {
		case _, open := <-messages:
			return !open
		default:
			return false
		}
	})
	j := b.journal()
	b.consume(backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(nil)})
	b.publish("t", "k", 0, 3)
	j.complete("after others' handles were closed", 3)
}

func checkDelayed(b *backendBench) {
	const step = time.Second // longer than a machine is busy with something else
	delayed := b.subject.(backend.DelayedPublisher)
	b.features.Ordered = false // as far as the journal goes: the order is that of the times
	j := b.journal()
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(nil)})
	begun := time.Now()
	due := func(n int) time.Time { return begun.Add(min(time.Duration(n), 4) * step) }
	var published [6]time.Time
	for _, one := range []struct {
		after time.Duration
		ns    []int
	}{{3 * step, []int{3}}, {step, []int{1}}, {-time.Hour, []int{0}}, {2 * step, []int{2}}, {4 * step, []int{4, 5}}} {
		var messages []*message.Message
		for _, n := range one.ns {
			messages = append(messages, wire("k", n))
		}
		b.must(delayed.PublishAt(b.ctx, begun.Add(one.after), "t", messages...), "PublishAt")
		for _, n := range one.ns {
			published[n] = time.Now()
		}
	}
	j.complete("delayed messages", 6)
	for i, g := range j.deliveries() {
		if g.at.Before(due(g.n)) {
			b.Fatalf("message %d came %v before its time", g.n, due(g.n).Sub(g.at))
		}
		for _, later := range j.deliveries()[i+1:] {
			// Unless it was published so late that the other was due.
			if later.n < g.n && published[later.n].Before(due(g.n)) {
				b.Fatalf("message %d came when %d was next", g.n, later.n)
			}
		}
	}
}

func checkAdmit(b *backendBench) {
	room := b.features.MaxWork
	admitter := b.subject.(backend.Admitter)
	b.must(admitter.Admit(b.ctx, "t", 1, false), "Admit to an empty topic")
	b.fix("t", "g", backend.FromOldest())
	b.publish("t", "k", 0, room)
	b.mustBe(admitter.Admit(b.ctx, "t", 1, false), backend.ErrOverloaded, "Admit without waiting where MaxWork messages wait")
	short, cancel := context.WithTimeout(b.ctx, 20*time.Millisecond)
	defer cancel()
	b.mustBe(admitter.Admit(short, "t", 1, true), backend.ErrOverloaded, "Admit with a context that ends")
	admitted := make(chan error, 1)
	go func() { admitted <- admitter.Admit(b.ctx, "t", 1, true) }()
	b.quiet()
	select {
	case err := <-admitted:
		b.Fatalf("Admit returned %v where there is no room", err)
	default:
	}
	b.publish("t", "k", room, room+1) // nobody who does not ask is held back
	j := b.journal()
	b.consume(backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(nil)})
	b.soon("Admit", func() {
		if err := <-admitted; err != nil {
			b.Errorf("Admit where room was made: %v", err)
		}
	})
	j.complete("the work that waited", room+1)
}

func checkLocal(b *backendBench) {
	publisher := b.subject.(backend.LocalPublisher)
	sent := local("k", 0)
	journals := map[string]*journal{"one": b.journal(), "two": b.journal()}
	for group, j := range journals {
		b.fix("t", group, backend.FromOldest())
		b.consume(backend.Consumption{Topic: "t", Group: group, Handle: j.handle(nil)})
	}
	b.fix("t", "watermill", backend.FromOldest())
	_, messages := b.subscribe("watermill")
	b.must(publisher.PublishLocal(time.Now(), "t", valueOf(sent)), "PublishLocal")
	for group, j := range journals {
		j.complete("group "+group, 1)
		if j.deliveries()[0].message.Context() != sent.Context() {
			b.Fatalf("group %s got another value than the one that was published", group)
		}
	}
	m := b.receive(messages)
	if _, isLocal := m.Context().(backend.Local); isLocal || !m.Equals(wire("k", 0)) {
		b.Fatalf("a subscriber of Watermill got %s with payload %q, which is not the wire form", m.UUID, m.Payload)
	}
	m.Ack()
	b.must(b.publisher.Publish("t", local("k", 1)), "Publish of a local message")
	if m = b.receive(messages); !m.Equals(wire("k", 1)) {
		b.Fatalf("a local message that was published in Watermill's way arrived as %s with payload %q", m.UUID, m.Payload)
	}
	m.Ack()
}

func checkSecrets(b *backendBench) {
	keeper := b.subject.(backend.SecretKeeper)
	secret := func(name string) []byte {
		b.Helper()
		s, err := keeper.Secret(b.ctx, name)
		b.must(err, "Secret")
		if len(s) != 32 {
			b.Fatalf("a secret has %d bytes, not 32", len(s))
		}
		return bytes.Clone(s)
	}
	one, other := secret("one"), secret("other")
	if !bytes.Equal(one, secret("one")) {
		b.Fatalf("a secret changed")
	}
	if bytes.Equal(one, other) || bytes.Equal(one, make([]byte, 32)) {
		b.Fatalf("secrets of two names are equal, or not random")
	}
}
