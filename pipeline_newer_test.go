package notify_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// workTopics are those of a process that sends e-mail.
var workTopics = []string{"notify.route", "notify.deliver.email.normal", "notify.deliver.email.urgent"}

// newerWork is the n-th piece of work in a form of a later version, on one of a
// few keys or on its own.
func newerWork(topic string, n int) *message.Message {
	key := fmt.Sprintf("n-%d", n)
	if n%2 == 0 {
		key = "n-0"
	}
	m := message.NewMessage(fmt.Sprintf("%s/%d", topic, n), fmt.Appendf(nil, `{"v":2,"id":%q,"plan":"of a later version"}`, key))
	m.Metadata = message.Metadata{backend.KeyMetadata: key, "ce_type": "notify.work.v2", "later": "é"}
	return m
}

// publishNewer publishes n pieces of newer work to each topic, and returns them.
func publishNewer(t *testing.T, b backend.Backend, n int) map[string]*message.Message {
	t.Helper()
	publisher, err := b.Publisher()
	require.NoError(t, err)
	all := map[string]*message.Message{}
	for _, topic := range workTopics {
		for i := range n {
			m := newerWork(topic, i)
			all[m.UUID] = m.Copy()
			require.NoError(t, publisher.Publish(topic, m))
		}
	}
	return all
}

// newcomer is a process of the later version: it takes what it gets of the work
// topics, until it ends, and puts back what is not for it.
type newcomer struct {
	mu  sync.Mutex
	got map[string]*message.Message
	end func()
}

func newNewcomer(b *memory.Backend) *newcomer {
	n := &newcomer{got: map[string]*message.Message{}}
	ctx, end := context.WithCancel(context.Background())
	var members sync.WaitGroup
	for _, topic := range workTopics {
		members.Go(func() {
			_ = b.Consume(ctx, backend.Consumption{Topic: topic, Group: "notify", Handle: func(_ context.Context, b *backend.Batch) (done int, err error) {
				for ; b.Next(); done++ {
					if m := b.Message(); m.Metadata.Get("ce_type") == "notify.work.v2" {
						n.mu.Lock()
						n.got[m.UUID] = m.Copy()
						n.mu.Unlock()
					}
				}
				return done, nil
			}})
		})
	}
	n.end = func() { end(); members.Wait() }
	return n
}

func (n *newcomer) all() map[string]*message.Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.got)
}

// told counts the lines of a log that say that work of a newer version waits.
type told struct {
	mu    sync.Mutex
	lines int
}

func (o *told) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if strings.Contains(string(line), "work of a newer version waits") {
		o.lines++
	}
	return len(line), nil
}

func (o *told) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lines
}

// crowded is a backend that keeps little of what waits.
func crowded() *memory.Backend {
	return memory.New(func(c *memory.Config) { c.MaxParkedPerKey, c.MaxParked = 5, 20 })
}

// inCrowdedForms runs f with a bench of the old version on a backend that is
// shared with others.
func inCrowdedForms(t *testing.T, f func(t *testing.T, b *notifytest.Bench, shared *memory.Backend, log *told)) {
	t.Helper()
	for _, form := range append(slices.Clip(forms), unrecorded) {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			var shared *memory.Backend
			var log *told
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				defer func() { require.NoError(t, shared.Close()) }()
				defer b.Close()
				notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
				f(t, b, shared, log)
			}, func(c *notify.Config) {
				form.config(c)
				require.NoError(t, c.Backend.Close())
				shared, log = crowded(), &told{}
				c.Backend, c.KeepBackend = form.of(shared), true
				c.Logger = slog.New(slog.NewTextHandler(log, nil))
			})
		})
	}
}

// More work of a later version than may be parked does not hold up what the old
// one knows, and the later version finds all of it as it was.
func TestMoreNewerWorkThanMayBeParked(t *testing.T) {
	t.Parallel()
	inCrowdedForms(t, func(t *testing.T, b *notifytest.Bench, shared *memory.Backend, log *told) {
		b.Start()
		want := publishNewer(t, shared, 100)
		known := b.Send(toAnna(notify.EmailChannel))
		b.Settle(known)
		b.Require(known, notifytest.State(notify.StateSent))
		b.Pass(5*time.Minute + time.Second)
		require.InDelta(t, 6*len(workTopics), log.count(), 1, "once a minute and topic")
		urgent := toAnna(notify.EmailChannel)
		urgent.Urgent = true
		known = b.Send(urgent)
		b.Settle(known)
		require.Empty(t, b.Notifier.Health(t.Context()).Failing)
		b.Close()

		newer := newNewcomer(shared)
		b.Pass(31 * time.Second)
		newer.end()
		requireSame(t, want, newer.all())
	})
}

// Nothing is lost to the old version either where it reads before the later one.
func TestAnOldAndANewVersionShareTheWork(t *testing.T) {
	t.Parallel()
	inCrowdedForms(t, func(t *testing.T, b *notifytest.Bench, shared *memory.Backend, _ *told) {
		b.Start()
		want := publishNewer(t, shared, 20)
		b.Rest() // the old one has read it all
		newer := newNewcomer(shared)
		for range 60 {
			if b.Pass(time.Minute); len(newer.all()) == len(want) {
				break
			}
		}
		newer.end()
		requireSame(t, want, newer.all())
	})
}

func requireSame(t *testing.T, want, got map[string]*message.Message) {
	t.Helper()
	require.Len(t, got, len(want))
	for id, m := range want {
		require.NotNil(t, got[id], id)
		require.Equal(t, m.Metadata, got[id].Metadata)
		require.Equal(t, string(m.Payload), string(got[id].Payload))
	}
}

// The same goes for work that is known of a record that is not.
func TestMoreNewerRecordsThanMayBeParked(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		shared := crowded()
		defer func() { require.NoError(t, shared.Close()) }()
		older := notifytest.Open(t, func(c *notify.Config) { c.Backend, c.KeepBackend = notifytest.WireOnly(shared), true })
		notify.Use(older.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		older.Start()
		publisher, err := shared.Publisher()
		require.NoError(t, err)
		want := map[string]*message.Message{}
		for n := range 100 {
			m := newerWork("notify.route", n)
			m.Payload = fmt.Appendf(nil, `{"v":1,"id":"n-%d"}`, n)
			want[m.UUID] = m.Copy()
			_, err := shared.Store(t.Context(), backend.Record{ID: fmt.Sprintf("n-%d", n), Body: backend.Bytes(`{"v":2}`)})
			require.NoError(t, err)
			require.NoError(t, publisher.Publish("notify.route", m))
		}
		known := older.Send(toAnna(notify.EmailChannel))
		older.Settle(known)
		older.Close()
		newer := newNewcomer(shared)
		b.Pass(31 * time.Second)
		newer.end()
		requireSame(t, want, newer.all())
	})
}

// cannotDelay is a backend that holds nothing until a time.
type cannotDelay struct {
	backend.Atomic
	backend.Consumer
	backend.Positioner
	backend.DeadLetters
	backend.SecretKeeper
}

// Where the backend cannot hold it, or has no room, newer work stays where it is.
func TestNewerWorkThatCannotBeHeld(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(b *memory.Backend) notify.Backend{
		"no delays": func(b *memory.Backend) notify.Backend { return cannotDelay{b, b, b, b, b} },
		"no room":   func(b *memory.Backend) notify.Backend { return b },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				shared := memory.New(func(c *memory.Config) { c.MaxDelayed = 7 })
				defer func() { require.NoError(t, shared.Close()) }()
				older := notifytest.Open(t, func(c *notify.Config) {
					c.Backend, c.KeepBackend, c.DrainTimeout = of(shared), true, time.Second
				})
				notify.Use(older.Notifier, notifytest.NewProvider[notify.Email]("mail"))
				older.Start()
				want := publishNewer(t, shared, 20)
				known := older.Send(toAnna(notify.EmailChannel))
				older.Settle(known)
				b.Pass(3 * time.Minute)
				older.Close()
				newer := newNewcomer(shared)
				b.Pass(31 * time.Second)
				newer.end()
				requireSame(t, want, newer.all())
			})
		})
	}
}
