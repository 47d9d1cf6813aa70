package notify_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

func TestHandleSome(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var got seen[string]
		b.Observe(notify.Observer{Name: "some", Handlers: []notify.Handler{notify.HandleSome(
			func(_ context.Context, e notify.Event[any]) error {
				got.add(e.Type)
				return nil
			}, paid{}, notify.Opened{},
		)}})
		b.run()
		b.pay("1", "n_1")
		_, err := notify.Emit(b.ctx, b.Notifier, notify.Clicked{})
		require.NoError(t, err)
		_, err = notify.Emit(b.ctx, b.Notifier, notify.Opened{})
		require.NoError(t, err)
		synctest.Wait()
		require.ElementsMatch(t, []string{"shop.paid.v1", "notify.opened.v1"}, got.list())
		require.EqualValues(t, 2, b.stats("some").Invocations, "what is not for it costs nothing")

		g := b.Topology()
		for _, o := range g.Observers {
			if o.Name == "some" {
				require.False(t, o.All())
				require.Equal(t, []string{"notify.opened.v1", "shop.paid.v1"}, o.Handlers[0].Events)
				require.Contains(t, o.Handlers[0].File, "observer_some_test.go")
			}
		}
	})
}

func TestHandleSomeNamesItsEvents(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	nothing := func(context.Context, notify.Event[any]) error { return nil }
	type unknown struct{}
	n.Observe(notify.Observer{Name: "o", Handlers: []notify.Handler{
		notify.HandleSome(nothing), notify.HandleSome(nil, notify.Sent{}), notify.HandleSome(nothing, notify.Sent{}, nil, unknown{}),
	}})
	_, err = n.Send(t.Context(), notify.Notification{})
	require.ErrorContains(t, err, `Observer("o").Handlers[0]: names no events`)
	require.ErrorContains(t, err, `Observer("o").Handlers[1]: the function is nil`)
	require.ErrorContains(t, err, `Observer("o").Handlers[2].events[1]: nil is not an event`)
	require.ErrorContains(t, err, `Observer("o").Handlers[2].events[2]: notify_test.unknown is not an event`)
}
