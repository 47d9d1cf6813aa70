package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	wm "github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// Watermill's middleware runs around the handlers, that of Config outside, on
// messages in their wire form.
func TestMiddleware(t *testing.T) {
	t.Parallel()
	for name, wrap := range backends() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var order seen[string]
				note := func(name string) middleware {
					return func(next message.HandlerFunc) message.HandlerFunc {
						return func(m *message.Message) ([]*message.Message, error) {
							order.add(name + " " + m.Metadata["ce_type"])
							defer order.add(name + " after")
							return next(m)
						}
					}
				}
				config := notify.Config{Backend: wrap(memory.New()), Middleware: []middleware{note("a"), note("b")}}
				runBus(t, config, func(b *busTest) {
					notify.On(b.Notifier, "o", func(_ context.Context, e notify.Event[paid]) error {
						order.add("handler " + e.Data.Order)
						return nil
					}, func(o *notify.Observer) { o.Middleware = []middleware{note("c"), note("d")} })
					b.run()
					b.pay("1", "n1")
					_, err := notify.Emit(b.ctx, b.Notifier, shipped{})
					require.NoError(t, err)
					synctest.Wait()
					require.Equal(t, []string{
						"a shop.paid.v1", "b shop.paid.v1", "c shop.paid.v1", "d shop.paid.v1", "handler 1",
						"d after", "c after", "b after", "a after",
					}, order.list(), "and not for events that no handler is for")
				})
			})
		})
	}
}

// Middleware may change and keep its message: it is a copy.
func TestMiddlewareGetsACopy(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		change := func(next message.HandlerFunc) message.HandlerFunc {
			return func(m *message.Message) ([]*message.Message, error) {
				m.Payload = []byte(`{"order":"changed"}`)
				m.Metadata.Set("ce_tenant", "changed")
				return next(m)
			}
		}
		var changed, plain seen[notify.Event[paid]]
		notify.On(b.Notifier, "changed", func(_ context.Context, e notify.Event[paid]) error { changed.add(e); return nil },
			func(o *notify.Observer) { o.Middleware = []middleware{change} })
		notify.On(b.Notifier, "plain", func(_ context.Context, e notify.Event[paid]) error { plain.add(e); return nil })
		b.run()
		for range 10 {
			b.pay("1", "n1")
		}
		synctest.Wait()
		require.Len(t, changed.list(), 10)
		require.Len(t, plain.list(), 10)
		for i := range 10 {
			require.Equal(t, "changed", changed.list()[i].Data.Order)
			require.Equal(t, "changed", changed.list()[i].Tenant)
			require.Equal(t, "1", plain.list()[i].Data.Order)
			require.Empty(t, plain.list()[i].Tenant)
		}
	})
}

// A handler inside middleware that calls it again raises the same events again.
func TestMiddlewareThatRetries(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var tries atomic.Int64
		var ids seen[string]
		notify.On(b.Notifier, "o", func(ctx context.Context, e notify.Event[paid]) error {
			id, err := notify.Emit(ctx, b.Notifier, shipped{})
			ids.add(id)
			if tries.Add(1) < 3 {
				return errBroken
			}
			return err
		}, func(o *notify.Observer) {
			o.Middleware = []middleware{wm.Retry{MaxRetries: 5, InitialInterval: time.Second}.Middleware}
		})
		b.run()
		id := b.pay("1", "n1")
		time.Sleep(time.Minute)
		same := id + "/o/shop.shipped.v1.1"
		require.Equal(t, []string{same, same, same}, ids.list())
		require.EqualValues(t, 1, b.stats("o").Invocations)
		require.EqualValues(t, 1, b.stats("o").Successes)
	})
}

// What goes wrong in middleware is the observer's failure.
func TestMiddlewareThatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fails func(*message.Message, message.HandlerFunc) error
		class notify.ObserverError
	}{
		"an error": {func(*message.Message, message.HandlerFunc) error { return errBroken }, notify.ObserverReturnedError},
		"a panic":  {func(*message.Message, message.HandlerFunc) error { panic("secret") }, notify.ObserverPanicked},
		"a payload": {func(m *message.Message, next message.HandlerFunc) error {
			m.Payload = nil
			_, err := next(m)
			return err
		}, notify.ObserverUndecodable},
		"a timeout": {func(m *message.Message, _ message.HandlerFunc) error { <-m.Context().Done(); return m.Context().Err() }, notify.ObserverTimedOut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBus(t, func(b *busTest) {
				var good seen[paid]
				notify.On(b.Notifier, "o", good.handle, func(o *notify.Observer) {
					o.Timeout = time.Second
					o.Retry = notify.Retry{Attempts: 2, Backoff: every(time.Second)}
					o.Middleware = []middleware{func(next message.HandlerFunc) message.HandlerFunc {
						return func(m *message.Message) ([]*message.Message, error) {
							var data paid
							if err := json.Unmarshal(m.Payload, &data); err != nil || data.Order == "bad" {
								return nil, errors.Join(err, c.fails(m, next))
							}
							return next(m)
						}
					}}
				})
				b.run()
				b.pay("good", "n1")
				b.pay("bad", "n2")
				b.pay("good", "n3")
				time.Sleep(time.Minute)
				require.Len(t, good.list(), 2)
				letters := b.letters("o")
				require.Len(t, letters, 1)
				require.Equal(t, c.class, letters[0].Class)
				require.Equal(t, paid{Order: "bad"}, letters[0].Event.Data)
				require.NotContains(t, letters[0].Error, "secret")
				require.EqualValues(t, 2, b.stats("o").Successes)
				require.EqualValues(t, letters[0].Attempts, b.stats("o").Failures)
			})
		})
	}
}

// Without a call of the handler the event is done.
func TestMiddlewareThatDrops(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var got seen[paid]
		notify.On(b.Notifier, "o", got.handle, func(o *notify.Observer) {
			o.Middleware = []middleware{func(message.HandlerFunc) message.HandlerFunc {
				return func(*message.Message) ([]*message.Message, error) { return nil, nil }
			}}
		})
		b.run()
		b.pay("1", "n1")
		synctest.Wait()
		require.Empty(t, got.list())
		require.Zero(t, b.stats("o").Lag)
	})
}
