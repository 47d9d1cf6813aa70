package notify

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// fate is what befalls a process at one of its moves: it dies there, or it
// freezes and goes on later with what it knew, or the move fails.
type fate struct {
	at     int           // the move, counted from 1; 0 is none
	kind   string        // count only the moves of this kind; empty is all
	after  bool          // after the move had its effect, before the process learns of it
	freeze time.Duration // 0: it dies
	fails  bool          // it lives, and the move returns an error
	// then is what befalls the process that takes over; it may not die.
	then *fate
}

// process is one Notifier's access to the backend that all share. Its moves
// are what others can see of it: a record written, a message published, a
// provider called, a message acknowledged.
type process struct {
	name     string
	world    *world
	fate     fate
	standsBy <-chan struct{} // it consumes and sweeps only once this is closed

	publisher message.Publisher
	handlers  sync.WaitGroup
	struck    chan struct{} // closed when its fate befalls it
	thawed    chan struct{} // closed when it goes on

	mu      sync.Mutex // guards the following
	armed   bool
	moves   []string
	counted int      // those that its fate counts
	hit     string   // the one at which its fate befell it
	dies    []func() // called when it does
}

// acknowledge begins the kind of the moves that acknowledge.
const acknowledge = "acknowledge in "

// sessionTimeout is when the others get what a process that is gone had not
// finished.
const sessionTimeout = 6 * time.Second

var errFailed = errors.New("the connection was lost")

var errGone = errors.New("the process is gone")

func (p *process) arm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = true
}

// move makes one move, unless the process dies before.
func (p *process) move(kind string, effect func() error) error {
	if err := p.alive(); err != nil {
		return err
	}
	p.mu.Lock()
	hit := false
	if p.armed {
		p.moves = append(p.moves, kind)
		if p.fate.kind == "" || p.fate.kind == kind {
			p.counted++
			hit = p.counted == p.fate.at
		}
		if hit {
			p.hit = kind
		}
	}
	p.mu.Unlock()
	if hit && p.fate.fails && !strings.HasPrefix(kind, acknowledge) {
		p.world.trace("%s fails, with its effect %v: %s", p.name, p.fate.after, kind)
		if p.fate.after {
			_ = effect()
		}
		return errFailed
	}
	hit = hit && !p.fate.fails
	if hit && !p.fate.after {
		if err := p.strike("before", kind); err != nil {
			return err
		}
	}
	err := effect()
	if hit && p.fate.after {
		if err := p.strike("after", kind); err != nil {
			return err
		}
	}
	return err
}

func (p *process) strike(when, kind string) error {
	p.world.trace("%s is struck %s %s", p.name, when, kind)
	if p.fate.freeze == 0 {
		p.mu.Lock()
		for _, leave := range p.dies {
			leave()
		}
		p.mu.Unlock()
	}
	close(p.struck)
	if p.fate.freeze > 0 {
		time.AfterFunc(p.fate.freeze, func() { close(p.thawed) })
	}
	return p.alive()
}

// alive returns at once while the process lives, when it thaws if it is
// frozen, and with an error at the end of the world.
func (p *process) alive() error {
	select {
	case <-p.world.over:
		return backend.ErrClosed
	default:
	}
	if !p.isStruck() {
		return nil
	}
	select {
	case <-p.thawed:
		return nil
	case <-p.world.over:
		return backend.ErrClosed
	}
}

// isStruck tells whether the process is dead or frozen now.
func (p *process) isStruck() bool {
	select {
	case <-p.struck:
	default:
		return false
	}
	select {
	case <-p.thawed:
		return false
	default:
		return true
	}
}

// lost is closed when the others take the process for dead; nil once it came
// back.
func (p *process) lost() <-chan struct{} {
	select {
	case <-p.thawed:
		return nil
	default:
		return p.struck
	}
}

// Publisher, Subscriber and Close implement [backend.Backend].
func (p *process) Publisher() (message.Publisher, error) { return processPublisher{p}, nil }

func (p *process) Subscriber(string) (message.Subscriber, error) { return nil, errors.ErrUnsupported }

func (p *process) Close() error { return nil }

type processPublisher struct{ *process }

// publicationOf tells what is published: an event's name, or the topic of work.
func publicationOf(topic string, messages []*message.Message) string {
	if topic == eventsTopic && len(messages) == 1 {
		if wire, err := backend.Wire(messages[0]); err == nil {
			return shortName(wire.Metadata["ce_type"])
		}
	}
	return "to " + topic
}

// shortName is an event's name without what all of ours have.
func shortName(eventType string) string {
	return strings.TrimSuffix(strings.TrimPrefix(eventType, ownPrefix), ".v1")
}

func (p processPublisher) Publish(topic string, messages ...*message.Message) error {
	return p.move("publish "+publicationOf(topic, messages), func() error {
		return p.world.publish(topic, messages, func() error { return p.publisher.Publish(topic, messages...) })
	})
}

// Consume implements [backend.Consumer]: message by message, and only while
// the process lives.
func (p *process) Consume(ctx context.Context, c backend.Consumption) error {
	select {
	case <-p.standsBy:
	case <-ctx.Done():
		return nil
	}
	defer p.handlers.Wait()
	for ctx.Err() == nil {
		if err := p.alive(); err != nil {
			return err
		}
		member, leave := context.WithCancel(ctx)
		lost := p.lost()
		var watching sync.WaitGroup
		watching.Go(func() {
			select {
			case <-lost:
			case <-p.world.over:
			case <-member.Done():
			}
			leave()
		})
		err := p.world.shared.Consume(member, p.consumption(c, lost))
		leave()
		watching.Wait()
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *process) consumption(c backend.Consumption, lost <-chan struct{}) backend.Consumption {
	handle, pause := c.Handle, c.Backoff
	c.MaxBatch = 1
	c.Backoff = func(attempt int, err error) time.Duration {
		if errors.Is(err, errGone) {
			return sessionTimeout
		}
		return pause(attempt, err)
	}
	type result struct {
		done int
		err  error
	}
	c.Handle = func(ctx context.Context, b *backend.Batch) (int, error) {
		var messages []*message.Message
		for b.Next() {
			messages = append(messages, b.Message())
		}
		attempt := b.Attempt
		results := make(chan result, 1)
		p.handlers.Go(func() {
			var r result
			r.done, r.err = handle(ctx, backend.NewBatch(attempt, messages...))
			_ = p.move(acknowledge+c.Topic, func() error {
				results <- r
				return nil
			})
		})
		select {
		case r := <-results:
			return r.done, r.err
		case <-lost:
		case <-p.world.over:
		}
		select {
		case r := <-results:
			return r.done, r.err
		default:
			return 0, errGone
		}
	}
	return c
}

// Fix, Rename, Forget, Lag and CatchUp implement [backend.Positioner].
func (p *process) Fix(ctx context.Context, topic, group string, from backend.Start) error {
	return p.world.shared.Fix(ctx, topic, group, from)
}

func (p *process) Rename(ctx context.Context, topic, from, to string) error {
	return p.world.shared.Rename(ctx, topic, from, to)
}

func (p *process) Forget(ctx context.Context, topic, group string) error {
	return p.world.shared.Forget(ctx, topic, group)
}

func (p *process) Lag(ctx context.Context, topic, group string) (int64, error) {
	return p.world.shared.Lag(ctx, topic, group)
}

func (p *process) CatchUp(ctx context.Context, topic, group string) error {
	if err := p.alive(); err != nil {
		return err
	}
	return p.world.shared.CatchUp(ctx, topic, group)
}

// Bury, Letters and Unbury implement [backend.DeadLetters].
func (p *process) Bury(ctx context.Context, d backend.DeadLetter) (string, bool, error) {
	return p.world.shared.Bury(ctx, d)
}

func (p *process) Letters(ctx context.Context, group, after string, limit int) ([]backend.DeadLetter, error) {
	return p.world.shared.Letters(ctx, group, after, limit)
}

func (p *process) Unbury(ctx context.Context, id string) error { return p.world.shared.Unbury(ctx, id) }

// Load to Delete implement [backend.Records]. What is written has its effect
// whatever became of the caller's patience: it was under way.
func (p *process) Load(ctx context.Context, id string) (backend.Record, error) {
	if err := p.alive(); err != nil {
		return backend.Record{}, err
	}
	return p.world.shared.Load(context.WithoutCancel(ctx), id)
}

func (p *process) LoadAlias(ctx context.Context, alias string) (backend.Record, error) {
	if err := p.alive(); err != nil {
		return backend.Record{}, err
	}
	return p.world.shared.LoadAlias(context.WithoutCancel(ctx), alias)
}

func (p *process) Store(ctx context.Context, r backend.Record) (revision int64, err error) {
	err = p.move("store "+p.world.changeIn(r), func() error {
		revision, err = p.world.store(context.WithoutCancel(ctx), r)
		return err
	})
	return revision, err
}

func (p *process) Due(ctx context.Context, now time.Time, limit int) ([]string, time.Time, error) {
	if err := p.alive(); err != nil {
		return nil, time.Time{}, err
	}
	select {
	case <-p.standsBy:
	default:
		return nil, time.Time{}, nil
	}
	if p.world.scenario.noSweep {
		return nil, time.Time{}, nil
	}
	return p.world.shared.Due(ctx, now, limit)
}

func (p *process) Expire(ctx context.Context, now time.Time, limit int) (int, error) {
	return p.world.shared.Expire(ctx, now, limit)
}

func (p *process) Delete(ctx context.Context, id string, revision int64) error {
	return p.move("delete parked", func() error { return p.world.shared.Delete(context.WithoutCancel(ctx), id, revision) })
}

// variant is what the backend can do beyond that.
type variant struct {
	name string
	wrap func(*process) Backend
	// bytes says that records are stored as bytes.
	bytes bool
	// inTurn says that one process at a time has the records: the other knows
	// that it has died.
	inTurn bool
}

var variants = []variant{
	{name: "apart", bytes: true, wrap: func(p *process) Backend { return delaying{p} }},
	{name: "atomic", wrap: func(p *process) Backend { return atomically{delaying{p}} }},
	{name: "without delays", bytes: true, wrap: func(p *process) Backend { return p }},
}

// inTurn is what comes after one another: not in variants, since only a death is
// something else here.
var inTurn = variant{name: "in turn", inTurn: true, wrap: func(p *process) Backend { return present{atomically{delaying{p}}} }}

type delaying struct{ *process }

func (p delaying) PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error {
	return p.move("publish later "+publicationOf(topic, messages), func() error {
		return p.world.publish(topic, messages, func() error {
			return p.world.shared.PublishAt(context.WithoutCancel(ctx), at, topic, messages...)
		})
	})
}

type atomically struct{ delaying }

func (p atomically) PublishLocal(at time.Time, topic string, value backend.Local) error {
	messages := []*message.Message{backend.MessageOf(value)}
	return p.move("publish "+publicationOf(topic, messages), func() error {
		return p.world.publish(topic, messages, func() error { return p.world.shared.PublishLocal(at, topic, value) })
	})
}

func (p atomically) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (revision int64, err error) {
	err = p.move("commit "+p.world.changeIn(r), func() error {
		revision, err = p.world.commit(context.WithoutCancel(ctx), r, out)
		return err
	})
	return revision, err
}

type present struct{ atomically }

func (p present) Enter(owner string) (leave func()) {
	leave = p.world.roll.Enter(owner)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dies = append(p.dies, leave)
	return leave
}

func (p present) Present(owner string) bool { return p.world.roll.Present(owner) }

var (
	_ backend.Consumer         = (*process)(nil)
	_ backend.Positioner       = (*process)(nil)
	_ backend.Records          = (*process)(nil)
	_ backend.DeadLetters      = (*process)(nil)
	_ backend.DelayedPublisher = delaying{}
	_ backend.Atomic           = atomically{}
	_ backend.LocalPublisher   = atomically{}
	_ backend.Presence         = present{}
)
