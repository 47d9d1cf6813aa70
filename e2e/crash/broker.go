package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// brokers are what outlives the children when the backend is the parent itself:
// topics, groups and records in the parent's memory, which a child reaches over
// its connection. They show what the pipeline does with a backend that loses
// nothing, and they let two children share work.
type brokers struct {
	*memory.Backend

	mu      sync.Mutex
	last    int64
	members map[int64]*member // by number
}

func newBrokers() *brokers {
	return &brokers{Backend: memory.New(), members: map[int64]*member{}}
}

// member is a child's membership in a group.
type member struct {
	number     int64
	life       int
	deliveries chan *held
	leave      context.CancelFunc
	left       context.Context

	mu   sync.Mutex
	last int64
	held map[int64]*held // by number
}

// held is a message that a member has and has not settled.
type held struct {
	Given
	settled chan Settle
}

// Message is a message on the wire.
type Message struct {
	UUID     string
	Payload  []byte
	Metadata map[string]string
}

func wireOf(m *message.Message) (Message, error) {
	wire, err := backend.Wire(m)
	if err != nil {
		return Message{}, err
	}
	return Message{UUID: wire.UUID, Payload: wire.Payload, Metadata: wire.Metadata}, nil
}

func (m Message) message() *message.Message {
	out := message.NewMessage(m.UUID, m.Payload)
	out.Metadata = m.Metadata
	if out.Metadata == nil {
		out.Metadata = message.Metadata{}
	}
	return out
}

// Given is a message as a member gets it.
type Given struct {
	Number  int64
	Attempt int
	Message Message
}

// Settle says what became of it.
type Settle struct {
	Member, Number int64
	Failed         string // empty: it is done
	Pause          time.Duration
}

// Join asks for a membership.
type Join struct {
	Life        int
	Topic       string
	Group       string
	Concurrency int
}

// failure is how a member failed on a message, with the pause that it asks for.
type failure struct {
	text  string
	pause time.Duration
}

func (f *failure) Error() string { return f.text }

// Join makes the child a member of a group, until it leaves or is gone.
func (d *desk) Join(j Join, number *int64) error {
	b := d.p.broker
	m := &member{life: j.Life, deliveries: make(chan *held), held: map[int64]*held{}}
	m.left, m.leave = context.WithCancel(d.gone)
	b.mu.Lock()
	b.last++
	m.number = b.last
	b.members[m.number] = m
	b.mu.Unlock()
	*number = m.number
	d.p.serving.Go(func() {
		_ = b.Consume(m.left, backend.Consumption{
			Topic: j.Topic, Group: j.Group, Concurrency: j.Concurrency, MaxBatch: 1,
			Backoff: func(_ int, err error) time.Duration {
				var f *failure
				if errors.As(err, &f) {
					return f.pause
				}
				return time.Millisecond
			},
			Handle: func(_ context.Context, batch *backend.Batch) (int, error) { return m.handle(batch) },
		})
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.members, m.number)
	})
	return nil
}

var errGone = errors.New("the member is gone")

// handle has the child handle a message.
func (m *member) handle(batch *backend.Batch) (int, error) {
	if !batch.Next() {
		return 0, nil
	}
	wire, err := wireOf(batch.Message())
	if err != nil {
		return 0, err
	}
	h := &held{settled: make(chan Settle, 1)}
	m.mu.Lock()
	m.last++
	h.Given = Given{Number: m.last, Attempt: batch.Attempt, Message: wire}
	m.held[m.last] = h
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.held, h.Number)
	}()
	select {
	case m.deliveries <- h:
	case <-m.left.Done():
		return 0, nil // given back, which is no failure of the message
	}
	select {
	case s := <-h.settled:
		if s.Failed != "" {
			return 0, &failure{s.Failed, s.Pause}
		}
		return 1, nil
	case <-m.left.Done():
		return 0, nil
	}
}

func (d *desk) member(number int64) (*member, error) {
	d.p.broker.mu.Lock()
	defer d.p.broker.mu.Unlock()
	if m := d.p.broker.members[number]; m != nil {
		return m, nil
	}
	return nil, errGone
}

// Fetch gives the member its next message.
func (d *desk) Fetch(number int64, out *Given) error {
	m, err := d.member(number)
	if err != nil {
		return err
	}
	select {
	case h := <-m.deliveries:
		*out = h.Given
		return nil
	case <-m.left.Done():
		return errGone
	}
}

// Settle says what became of a message. Of a member that was expelled nothing
// counts.
func (d *desk) Settle(s Settle, _ *struct{}) error {
	m, err := d.member(s.Member)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.held[s.Number]; h != nil {
		h.settled <- s
	}
	return nil
}

// Leave ends a membership.
func (d *desk) Leave(number int64, _ *struct{}) error {
	m, err := d.member(number)
	if err == nil {
		m.leave()
	}
	return err
}

// expel takes a life's memberships, as a broker does that does not hear of a
// member any more.
func (b *brokers) expel(life int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.members {
		if m.life == life {
			m.leave()
		}
	}
}

// Publication is a message on its way.
type Publication struct {
	Topic   string
	At      time.Time
	Message Message
}

func (p Publication) publication() backend.Publication {
	return backend.Publication{Topic: p.Topic, At: p.At, Message: p.Message.message()}
}

// Publish appends messages to their topics.
func (d *desk) Publish(all []Publication, f *Fault) error {
	b := d.p.broker
	publisher, err := b.Publisher()
	for _, p := range all {
		if err == nil && p.At.IsZero() {
			err = publisher.Publish(p.Topic, p.Message.message())
		} else if err == nil {
			err = b.PublishAt(d.gone, p.At, p.Topic, p.Message.message())
		}
	}
	*f = faultOf(err)
	return nil
}

// Position is a call of [backend.Positioner], or of [backend.Admitter].
type Position struct {
	Op, Topic, Group, To string
	Oldest               bool
	N                    int
	Wait                 bool
}

// Positioned is its answer.
type Positioned struct {
	Lag   int64
	Fault Fault
}

// Position answers it.
func (d *desk) Position(p Position, out *Positioned) error {
	b, ctx := d.p.broker, d.gone
	var err error
	switch p.Op {
	case "fix":
		from := backend.FromNow()
		if p.Oldest {
			from = backend.FromOldest()
		}
		err = b.Fix(ctx, p.Topic, p.Group, from)
	case "rename":
		err = b.Rename(ctx, p.Topic, p.Group, p.To)
	case "forget":
		err = b.Forget(ctx, p.Topic, p.Group)
	case "lag":
		out.Lag, err = b.Lag(ctx, p.Topic, p.Group)
	case "catch up":
		err = b.CatchUp(ctx, p.Topic, p.Group)
	case "admit":
		err = b.Admit(ctx, p.Topic, p.N, p.Wait)
	default:
		err = fmt.Errorf("no such operation: %s", p.Op)
	}
	out.Fault = faultOf(err)
	return nil
}
