package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/notifytest"
)

// trouble is what happens to a handler and to what it writes to: until it ends.
type trouble struct {
	mu      sync.Mutex // guards the following
	process *process
	over    bool
	brought map[string]int // how often an event was, by observer
	handled int
	calls   int // of what the handler writes to
	// unlucky are the events that become dead letters when they come first, and
	// down and up the calls between which what the handler writes to is down.
	unlucky  func(id string) bool
	down, up int
	// deaths are the numbers of handled events at which the process dies: after the
	// effect, and before it is acknowledged.
	deaths []int

	died, lost, failed, unanswered, buried int // what happened
}

func newTrouble() *trouble {
	return &trouble{brought: map[string]int{}, unlucky: func(id string) bool { return chance(id)%9 == 0 }, down: 20, up: 45, deaths: []int{9, 60, 110}}
}

var (
	errUnlucky = errors.New("the event is not understood")
	errLost    = errors.New("the answer was lost")
	errDown    = errors.New("it is down")
	errDead    = errors.New("the process is dead")
)

func (x *trouble) begin(p *process) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.process = p
}

func (x *trouble) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
}

// observe puts trouble around an observer.
func (x *trouble) observe(o *notify.Observer) {
	name := o.Name
	o.Retry.Backoff = func(int) time.Duration { return 2 * time.Millisecond }
	// So that it has trouble with every event.
	o.Handlers = []notify.Handler{notify.Handle(func(context.Context, notify.Event[any]) error { return nil })}
	o.Middleware = append(o.Middleware, func(next message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			id, about := m.UUID, m.Metadata["ce_subject"]
			if err := x.before(name, id, about); err != nil {
				return nil, err
			}
			if _, err := next(m); err != nil {
				return nil, err
			}
			return nil, x.after(name, id, about)
		}
	})
}

func chance(text string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text))
	return int(h.Sum32() >> 8)
}

// before makes some events dead letters when they come first.
func (x *trouble) before(observer, id, about string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.process.ctx.Err() != nil:
		return errDead
	case about == "" || x.over:
		return nil
	}
	x.brought[observer+"/"+id]++
	if x.brought[observer+"/"+id] == 1 && x.unlucky(id) {
		return notify.Permanent(errUnlucky)
	}
	return nil
}

// after has the process die, or loses that the handler was done.
func (x *trouble) after(observer, id, about string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.process.ctx.Err() != nil {
		return errDead
	}
	if about == "" || x.over {
		return nil
	}
	x.handled++
	switch {
	case x.died < len(x.deaths) && x.handled >= x.deaths[x.died]:
		x.died++
		x.process.die()
		return errDead
	case x.brought[observer+"/"+id] == 1 && chance(id)%5 == 1:
		x.lost++
		return errLost
	}
	return nil
}

// write is a call of what the handler writes to, which may fail without its
// effect or after it.
func (x *trouble) write(effect func() error) error {
	x.mu.Lock()
	x.calls++
	call, dead, over := x.calls, x.process.ctx.Err() != nil, x.over
	switch {
	case dead:
	case over:
	case call > x.down && call <= x.up || call%11 == 5:
		x.failed++
		x.mu.Unlock()
		return errDown
	case call%7 == 3:
		x.unanswered++
	}
	x.mu.Unlock()
	if dead {
		return errDead
	}
	if err := effect(); err != nil {
		return err
	}
	if !over && call%7 == 3 {
		return errLost
	}
	return nil
}

// missing tells, by nil, that the process has died as often as it should.
func (x *trouble) missing() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.died < len(x.deaths) {
		return fmt.Errorf("the process has died %d times, and should %d", x.died, len(x.deaths))
	}
	return nil
}

// require tells whether there was as much trouble as there should have been.
func (x *trouble) require(t *testing.T) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t.Logf("%d events handled, %d calls: %d times dead, %d answers of the handler lost, %d calls failed, %d without an answer, %d dead letters",
		x.handled, x.calls, x.died, x.lost, x.failed, x.unanswered, x.buried)
	require.Equal(t, len(x.deaths), x.died)
	for _, happened := range []int{x.lost, x.failed, x.unanswered, x.buried} {
		require.Positive(t, happened)
	}
}

// mortally returns the backend as a process has it that dies with ctx: from then
// on nothing that it does has an effect, and nothing is acknowledged.
func mortally(ctx context.Context, b notifytest.FullBackend) notify.Backend {
	m := mortal{b, ctx}
	if local, ok := b.(backend.LocalPublisher); ok {
		return mortalLocal{m, local}
	}
	return m
}

type mortal struct {
	notifytest.FullBackend
	life context.Context
}

type mortalLocal struct {
	mortal
	local backend.LocalPublisher
}

func (m mortal) dead() error {
	if m.life.Err() != nil {
		return errDead
	}
	return nil
}

func (m mortal) Publisher() (message.Publisher, error) {
	p, err := m.FullBackend.Publisher()
	if err != nil {
		return nil, err
	}
	return mortalPublisher{p, m}, nil
}

type mortalPublisher struct {
	message.Publisher
	of mortal
}

func (p mortalPublisher) Publish(topic string, messages ...*message.Message) error {
	if err := p.of.dead(); err != nil {
		return err
	}
	return p.Publisher.Publish(topic, messages...)
}

func (m mortalLocal) PublishLocal(now time.Time, topic string, value backend.Local) error {
	if err := m.dead(); err != nil {
		return err
	}
	return m.local.PublishLocal(now, topic, value)
}

func (m mortal) PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error {
	if err := m.dead(); err != nil {
		return err
	}
	return m.FullBackend.PublishAt(ctx, at, topic, messages...)
}

func (m mortal) Store(ctx context.Context, r backend.Record) (int64, error) {
	if err := m.dead(); err != nil {
		return 0, err
	}
	return m.FullBackend.Store(ctx, r)
}

func (m mortal) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	if err := m.dead(); err != nil {
		return 0, err
	}
	return m.FullBackend.Commit(ctx, r, out)
}

func (m mortal) Bury(ctx context.Context, d backend.DeadLetter) (string, bool, error) {
	if err := m.dead(); err != nil {
		return "", false, err
	}
	return m.FullBackend.Bury(ctx, d)
}

func (m mortal) Unbury(ctx context.Context, id string) error {
	if err := m.dead(); err != nil {
		return err
	}
	return m.FullBackend.Unbury(ctx, id)
}

func (m mortal) Consume(ctx context.Context, c backend.Consumption) error {
	if err := m.dead(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.life, cancel)()
	handle := c.Handle
	c.Handle = func(ctx context.Context, b *backend.Batch) (int, error) {
		if m.dead() != nil {
			return 0, nil
		}
		done, err := handle(ctx, b)
		if m.dead() != nil { // nobody was told
			return 0, nil
		}
		return done, err
	}
	return m.FullBackend.Consume(ctx, c)
}
