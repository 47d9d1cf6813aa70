package notify_test

import (
	"context"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
)

const (
	traceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceState  = "vendor=1"
)

func TestEmit(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var got seen[notify.Event[paid]]
		notify.On(b.Notifier, "o", func(_ context.Context, e notify.Event[paid]) error { got.add(e); return nil })
		b.run()
		labels := map[string]string{"shop": "1"}
		happened := time.Now().Add(-time.Hour).UTC()
		id, err := notify.Emit(notify.WithTrace(b.ctx, traceParent, traceState), b.Notifier, paid{Order: "1"}, func(e *notify.Envelope) {
			e.NotificationID, e.RecipientID, e.Tenant, e.Category = "n1", "u1", "t1", "c1"
			e.Labels, e.Time = labels, happened
			e.Type, e.Seen = "another.v1", time.Time{} // which are not the caller's
		})
		require.NoError(t, err)
		labels["shop"] = "2"
		own, err := notify.Emit(b.ctx, b.Notifier, paid{Order: "2"}, func(e *notify.Envelope) { e.ID = "mine" })
		require.NoError(t, err)
		require.Equal(t, "mine", own)
		_, err = notify.Emit(b.ctx, b.Notifier, paid{Order: "3"}, func(e *notify.Envelope) { e.ID, e.Source = "ours", "" })
		require.NoError(t, err)
		synctest.Wait()
		now := time.Now().UTC()
		for i, e := range got.list() {
			got.all[i].Time, got.all[i].Seen = e.Time.UTC(), e.Seen.UTC()
		}
		require.Equal(t, []notify.Event[paid]{
			{
				Envelope: notify.Envelope{
					ID: id, Type: "shop.paid.v1", Source: "notify", NotificationID: "n1", RecipientID: "u1", Tenant: "t1",
					Category: "c1", Labels: map[string]string{"shop": "1"}, Time: happened, Seen: now,
					TraceParent: traceParent, TraceState: traceState,
				},
				Data: paid{Order: "1"},
			},
			{
				Envelope: notify.Envelope{ID: "mine", Type: "shop.paid.v1", Source: "notify", Time: now, Seen: now},
				Data:     paid{Order: "2"},
			},
			{
				Envelope: notify.Envelope{ID: "ours", Type: "shop.paid.v1", Source: "notify", Time: now, Seen: now},
				Data:     paid{Order: "3"},
			},
		}, got.list())
	})
}

func TestIDsOfEvents(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		b.run()
		last := ""
		for range 1000 {
			id, err := notify.Emit(b.ctx, b.Notifier, paid{Order: "1"})
			require.NoError(t, err)
			parsed, err := uuid.Parse(id)
			require.NoError(t, err)
			require.Equal(t, uuid.Version(7), parsed.Version())
			require.Equal(t, uuid.RFC4122, parsed.Variant())
			sec, nsec := parsed.Time().UnixTime()
			require.Equal(t, time.Now().UnixMilli(), time.Unix(sec, nsec).UnixMilli())
			require.Less(t, last, id, "they ascend with time")
			last = id
			time.Sleep(time.Microsecond)
		}
	})
}

func TestWhatEmitRefuses(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		b.run()
		_, err := notify.Emit(b.ctx, b.Notifier, struct{ A int }{1})
		require.ErrorIs(t, err, notify.ErrUnsupported)
		_, err = notify.Emit(b.ctx, b.Notifier, &paid{})
		require.ErrorIs(t, err, notify.ErrUnsupported)
		_, err = notify.Emit(b.ctx, b.Notifier, paid{}, func(e *notify.Envelope) { e.Tenant = "a\nb" })
		require.Equal(t, "ce_tenant", notify.FieldErrors(err)[0].Field)
		_, err = notify.Emit(b.ctx, b.Notifier, paid{}, func(e *notify.Envelope) { e.Category = strings.Repeat("x", 1<<17) })
		require.ErrorIs(t, err, notify.ErrTooLarge)
		require.NoError(t, b.Close(b.ctx))
		_, err = notify.Emit(b.ctx, b.Notifier, paid{})
		require.ErrorIs(t, err, notify.ErrClosed)
	})
}

func TestWhatRegisterEventRefuses(t *testing.T) {
	t.Parallel()
	type unwritable struct{ C chan int }
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	notify.RegisterEvent[unwritable](n, "shop.unwritable.v1")
	notify.RegisterEvent[paid](n, "notify.paid.v1")
	notify.RegisterEvent[*paid](n, "shop.pointer.v1")
	err = n.Run(context.Background())
	require.ErrorContains(t, err, "RegisterEvent[notify_test.unwritable]: cannot be written as JSON")
	require.ErrorContains(t, err, `must not begin with "notify."`)
	require.ErrorContains(t, err, "not a pointer")
	require.NoError(t, n.Close(context.Background()))
}

// What is emitted in a handler follows from the event, and so do its ID and
// what it is about: a redelivery raises the same.
func TestEmitInAHandler(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var got seen[notify.Envelope]
		var tries atomic.Int64
		b.Observe(notify.Observer{
			Name: "answers", Emits: []any{shipped{}}, Retry: notify.Retry{Backoff: every(time.Second)},
			Handlers: []notify.Handler{
				notify.Handle(func(ctx context.Context, e notify.Event[paid]) error {
					_, err := notify.Emit(ctx, b.Notifier, shipped{Order: "a"})
					return err
				}),
				notify.Handle(func(ctx context.Context, e notify.Event[paid]) error {
					if _, err := notify.Emit(ctx, b.Notifier, shipped{Order: "b"}); err != nil {
						return err
					}
					if tries.Add(1) == 1 {
						return errHandler
					}
					return nil
				}),
			},
		})
		notify.On(b.Notifier, "o", func(_ context.Context, e notify.Event[shipped]) error { got.add(e.Envelope); return nil })
		b.run()
		id, err := notify.Emit(notify.WithTrace(b.ctx, traceParent, ""), b.Notifier, paid{}, func(e *notify.Envelope) {
			e.NotificationID, e.RecipientID, e.Tenant, e.Category = "n1", "u1", "t1", "c1"
			e.Labels = map[string]string{"shop": "1"}
		})
		require.NoError(t, err)
		time.Sleep(time.Minute)
		var ids []string
		for _, e := range got.list() {
			ids = append(ids, e.ID)
			require.Equal(t, notify.Envelope{
				ID: e.ID, Type: "shop.shipped.v1", Source: "notify", NotificationID: "n1", RecipientID: "u1", Tenant: "t1",
				Category: "c1", Labels: map[string]string{"shop": "1"}, Time: e.Time, Seen: e.Seen,
				CausationID: id, Depth: 1, TraceParent: traceParent,
			}, e)
		}
		first, second := id+"/answers/shop.shipped.v1.1", id+"/answers/shop.shipped.v1.2"
		require.Equal(t, []string{first, second, first, second}, ids)
	})
}

func TestDeclaredOutputs(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var errs seen[error]
		emit := func(name string, emits []any) {
			notify.On(b.Notifier, name, func(ctx context.Context, e notify.Event[paid]) error {
				_, err := notify.Emit(ctx, b.Notifier, shipped{})
				errs.add(err)
				return nil
			}, func(o *notify.Observer) { o.Emits = emits })
		}
		emit("declares-it", []any{shipped{}})
		b.run()
		b.pay("1", "")
		synctest.Wait()
		emit("declares-nothing", nil)
		b.pay("1", "")
		synctest.Wait()
		require.Equal(t, []error{nil, nil, nil}, errs.list())
		emit("declares-others", []any{paid{}})
		b.pay("1", "")
		synctest.Wait()
		var refused []error
		for _, err := range errs.list() {
			if err != nil {
				refused = append(refused, err)
			}
		}
		require.Len(t, refused, 1)
		require.ErrorIs(t, refused[0], notify.ErrUnsupported)
		require.ErrorContains(t, refused[0], `Observer("declares-others").Emits: does not declare shop.shipped.v1`)
	})
}

// Observers that answer each other for ever end in the dead letters.
func TestObserversThatAnswerEachOtherForEver(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var answers atomic.Int64
		notify.On(b.Notifier, "ping", func(ctx context.Context, _ notify.Event[paid]) error {
			answers.Add(1)
			_, err := notify.Emit(ctx, b.Notifier, shipped{})
			return err
		})
		notify.On(b.Notifier, "pong", func(ctx context.Context, _ notify.Event[shipped]) error {
			answers.Add(1)
			_, err := notify.Emit(ctx, b.Notifier, paid{})
			return err
		})
		b.run()
		b.pay("1", "n1")
		time.Sleep(time.Hour)
		require.EqualValues(t, 33, answers.Load())
		letters := b.letters("")
		require.Len(t, letters, 1)
		require.Equal(t, notify.ObserverTooDeep, letters[0].Class)
		require.Equal(t, 1, letters[0].Attempts)
		require.Equal(t, 32, letters[0].Event.Depth)
	})
}

// Publishing from inside an observer never deadlocks, whatever waits.
func TestEmittingInHandlersNeverBlocks(t *testing.T) {
	t.Parallel()
	for name, wrap := range backends() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := memory.New(func(c *memory.Config) { c.MaxWork = 4; c.MaxParked = 4; c.MaxParkedPerKey = 2 })
				runBus(t, notify.Config{Backend: wrap(mem)}, func(b *busTest) {
					var got atomic.Int64
					notify.On(b.Notifier, "fans-out", func(ctx context.Context, _ notify.Event[paid]) error {
						for range 100 {
							if _, err := notify.Emit(ctx, b.Notifier, shipped{}); err != nil {
								return err
							}
						}
						return nil
					}, func(o *notify.Observer) { o.Concurrency = 1 })
					notify.On(b.Notifier, "gets-it", func(context.Context, notify.Event[shipped]) error { got.Add(1); return nil },
						func(o *notify.Observer) { o.Concurrency = 1 })
					b.run()
					for range 20 {
						b.pay("1", "n1")
					}
					synctest.Wait()
					require.EqualValues(t, 2000, got.Load())
					require.Empty(t, b.letters(""))
				})
			})
		})
	}
}

// An event without a form on a wire ends in the dead letters too, with its name.
func TestTheDeadLetterOfAnEventWithoutAForm(t *testing.T) {
	t.Parallel()
	type measured struct {
		Value float64 `json:"value"`
	}
	synctest.Test(t, func(t *testing.T) {
		runBus(t, notify.Config{Backend: memory.New()}, func(b *busTest) {
			notify.RegisterEvent[measured](b.Notifier, "shop.measured.v1")
			notify.On(b.Notifier, "o", func(context.Context, notify.Event[measured]) error { return notify.Permanent(errHandler) })
			b.run()
			id, err := notify.Emit(b.ctx, b.Notifier, measured{math.NaN()})
			if notify.RaceBuild {
				require.ErrorContains(t, err, "cannot be written as JSON")
				return
			}
			require.NoError(t, err)
			time.Sleep(time.Minute)
			letters := b.letters("o")
			require.Len(t, letters, 1)
			require.Equal(t, id, letters[0].Event.ID)
			require.Equal(t, "shop.measured.v1", letters[0].Event.Type)
			_, err = b.Redrive(b.ctx, "o")
			require.Error(t, err)
			require.Len(t, b.letters("o"), 1)
		})
	})
}
