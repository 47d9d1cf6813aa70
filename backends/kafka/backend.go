package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/subscription"
)

var (
	_ backend.Backend          = (*Backend)(nil)
	_ backend.Consumer         = (*Backend)(nil)
	_ backend.Positioner       = (*Backend)(nil)
	_ backend.DelayedPublisher = (*Backend)(nil)
	_ backend.Tailer           = (*Backend)(nil)
)

// Backend is the backend on a Kafka cluster. All its methods are safe for
// concurrent use, and those that fail because it is closed return an error that
// wraps backend.ErrClosed.
type Backend struct {
	brokers []string
	config  Config
	log     *logger // of what the clients say

	topics   topics
	groups   groups
	delays   delays
	members  members
	encoders sync.Pool // of *encoder

	// open ends when Close begins: members leave. ctx ends a little later:
	// whatever still runs gives up.
	open, ctx context.Context
	shut      context.CancelFunc
	// subscribers are the handles that are open.
	subscribers subscription.Set
	stop        context.CancelCauseFunc
	active      sync.WaitGroup // calls that Close waits for

	mu     sync.Mutex // guards the following; no call to the cluster is made under it
	closed bool       // no more is added to active
	client *kgo.Client

	starting lock // held while the first connection is made
}

// New returns a backend on the cluster that has these brokers, each host:port;
// one that answers is enough to find the others. It does no I/O and starts
// nothing: mistakes in the configuration are reported by the first call.
func New(brokers []string, opts ...func(*Config)) *Backend {
	b := &Backend{brokers: slices.Clone(brokers), config: newConfig(opts), starting: newLock()}
	b.ctx, b.stop = context.WithCancelCause(context.Background())
	b.open, b.shut = context.WithCancel(b.ctx)
	b.topics.backend, b.groups.backend, b.delays.backend = b, b, b
	b.groups.reading = newLock()
	b.log = newLogger(b.config.Logger)
	return b
}

// grace is how long Close lets calls go on that have no handler to wait for.
const grace = 5 * time.Second

// Close ends everything: calls of Consume return once their handlers have, and
// positions are written; calls of Publish get 5 s to end. It waits for that, so
// it must not be called by a handler. Closing again does nothing but wait.
func (b *Backend) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.shut()
	b.members.wait()
	b.subscribers.Close()
	timer := time.AfterFunc(grace, func() { b.stop(backend.ErrClosed) })
	defer timer.Stop()
	b.active.Wait()
	b.stop(backend.ErrClosed)
	b.groups.close()

	b.mu.Lock()
	client := b.client
	b.client = nil
	b.mu.Unlock()
	if client != nil {
		client.Close()
	}
	return nil
}

// enter registers a call that Close waits for; the caller ends it by leave. The
// context ends with ctx, and with the backend.
func (b *Backend) enter(ctx context.Context) (_ context.Context, leave func(), _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, nil, backend.ErrClosed
	}
	b.active.Add(1)
	if ctx.Done() == nil { // a call of Publish has no context
		return b.ctx, b.active.Done, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(b.ctx, func() { cancel(backend.ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
		b.active.Done()
	}, nil
}

// begin is enter for a call that needs the cluster: it makes the connection if
// it has to.
func (b *Backend) begin(ctx context.Context) (_ context.Context, leave func(), _ error) {
	ctx, leave, err := b.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	if b.producer() == nil {
		err = b.start(ctx)
	}
	if err != nil {
		leave()
		return nil, nil, err
	}
	return ctx, leave, nil
}

// ended returns why a call with the context failed: that the backend was
// closed, if it was.
func ended(ctx context.Context, err error) error {
	if err != nil && context.Cause(ctx) == backend.ErrClosed {
		return fmt.Errorf("the backend is %w", backend.ErrClosed)
	}
	return err
}

// producer is the client that is not a member of anything. It is there between
// begin and leave.
func (b *Backend) producer() *kgo.Client {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.client
}

func (b *Backend) admin() *kadm.Client { return kadm.NewClient(b.producer()) }
