package attach_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cache"
	"github.com/seed-6c01d079/notify/handlers/cost"
	"github.com/seed-6c01d079/notify/handlers/forward"
	"github.com/seed-6c01d079/notify/handlers/internal/attach"
	"github.com/seed-6c01d079/notify/handlers/logs"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/trigger"
	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/topology"
)

type publisher struct{}

func (publisher) Publish(string, ...*message.Message) error { return nil }
func (publisher) Close() error                              { return nil }

// readyMade are the handlers that observe, each with its observer changed.
func readyMade(change func(*notify.Observer)) map[string]notify.Attacher {
	return map[string]notify.Attacher{
		"timeline": timeline.New(timeline.NewMemory(), func(c *timeline.Config) { change(&c.Observer) }),
		"logs":     logs.New(nil, func(c *logs.Config) { change(&c.Observer) }),
		"cache": cache.New(cache.Func(func(context.Context, []string) error { return nil }), func(c *cache.Config) {
			c.Rules = []cache.Rule{cache.Keys(func(notify.Event[notify.Sent]) []string { return nil })}
			change(&c.Observer)
		}),
		"forward": forward.New(publisher{}, "theirs", func(c *forward.Config) {
			c.Events = []any{notify.Sent{}}
			change(&c.Observer)
		}),
		"suppression": suppression.New(suppression.NewMemory(), func(c *suppression.Config) { change(&c.Observer) }),
		"cost":        cost.New(cost.NewMemory(), cost.Book{}, func(c *cost.Config) { change(&c.Observer) }),
		"webhooks":    webhook.New(webhook.NewMemory(), func(c *webhook.Config) { change(&c.Observer) }),
		"trigger": trigger.Process("trigger", func(context.Context, string, notify.Event[notify.Sent]) error { return nil },
			func(c *trigger.Config) { change(&c.Observer) }),
	}
}

// attached returns what is wrong once it is attached, and the observers' names.
func attached(t *testing.T, a notify.Attacher) (string, []string) {
	t.Helper()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, n.Close(context.Background())) }()
	n.Attach(a)
	_, err = n.Send(t.Context(), notify.Notification{})
	var names []string
	for _, o := range n.Stats(t.Context()).Observers {
		names = append(names, o.Name)
	}
	return err.Error(), names
}

// Handlers of the host's come after its own: in their place they would silently undo
// what it is for.
func TestHandlersOfTheHostComeAfterItsOwn(t *testing.T) {
	own := map[string]int{}
	handlers := func(change func(*notify.Observer)) map[string][]topology.Handler {
		all := map[string][]topology.Handler{}
		for name, a := range readyMade(change) {
			n, err := notify.New(notify.Config{})
			require.NoError(t, err)
			n.Attach(a)
			for _, o := range n.Topology().Observers {
				all[name] = append(all[name], o.Handlers...)
			}
			require.NoError(t, n.Close(context.Background()))
		}
		return all
	}
	for name, all := range handlers(func(*notify.Observer) {}) {
		own[name] = len(all)
		require.NotEmpty(t, all)
	}
	for name, all := range handlers(func(o *notify.Observer) { o.Handlers = []notify.Handler{notify.Handle(mine)} }) {
		require.Len(t, all, own[name]+1, name)
		require.Contains(t, all[own[name]].Function, "attach_test.mine", name)
	}
}

func mine(context.Context, notify.Event[notify.Clicked]) error { return nil }

// A host that puts an Observer in place of the default one has the name still.
func TestAnObserverWithoutANameHasItsOwn(t *testing.T) {
	for name, a := range readyMade(func(o *notify.Observer) { *o = notify.Observer{Concurrency: 4} }) {
		t.Run(name, func(t *testing.T) {
			problems, names := attached(t, a)
			require.False(t, strings.Contains(problems, "Observer"), problems)
			require.Equal(t, []string{name}, names)
		})
	}
}

func TestIsNil(t *testing.T) {
	for _, v := range []any{nil, (*timeline.Memory)(nil), cache.Func(nil), map[string]int(nil)} {
		require.True(t, attach.IsNil(v), "%T", v)
	}
	for _, v := range []any{0, "", timeline.NewMemory(), publisher{}} {
		require.False(t, attach.IsNil(v), "%T", v)
	}
}

// What belongs to one Notifier says so to another, rather than mixing them up.
func TestOneNotifierEach(t *testing.T) {
	for name, a := range readyMade(func(*notify.Observer) {}) {
		t.Run(name, func(t *testing.T) {
			_, _ = attached(t, a)
			problems, names := attached(t, a)
			switch name {
			case "forward", "trigger", "webhooks", "cost", "suppression":
				require.Contains(t, problems, "attached")
				require.Empty(t, names)
			default:
				require.Equal(t, []string{name}, names)
			}
		})
	}
}
