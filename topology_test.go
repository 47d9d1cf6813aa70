package notify_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
	"github.com/seed-6c01d079/notify/topology"
)

type (
	invoiced struct{ Order string }
	overdue  struct{ Order string }
)

type ledgers struct{ n *notify.Notifier }

func (l *ledgers) invoice(ctx context.Context, _ notify.Event[notify.Settled]) error {
	_, err := notify.Emit(ctx, l.n, invoiced{"o1"})
	return err
}

// web registers what a host may.
func web(n *notify.Notifier) {
	notify.RegisterEvent[invoiced](n, "shop.invoiced.v1")
	notify.RegisterEvent[overdue](n, "shop.overdue.v1")
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail-a"))
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail-b"))
	n.Guard("consent", func(context.Context, notify.GuardRequest) (notify.Decision, error) { return notify.Allow(), nil })
	notify.On(n, "invoices", (&ledgers{n}).invoice, func(o *notify.Observer) {
		o.Emits = []any{invoiced{}, overdue{}, notify.Notification{}}
	})
	n.Observe(notify.Observer{Name: "reader", Concurrency: 3, Background: true, Handlers: []notify.Handler{
		notify.Handle(func(context.Context, notify.Event[interface{ EngagementRef() notify.Engagement }]) error { return nil }),
		notify.Handle(func(ctx context.Context, e notify.Event[invoiced]) error {
			_, err := notify.Emit(ctx, n, overdue(e.Data))
			if err == nil {
				_, err = n.Send(ctx, toAnna(notify.SMSChannel))
			}
			if len(notify.FieldErrors(err)) > 0 { // nobody sends text messages here
				_, err = n.Send(ctx, toAnna(notify.EmailChannel))
			}
			return err
		}),
	}})
	notify.On(n, "all", func(context.Context, notify.Event[any]) error { return nil })
}

func TestTopology(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	web(n)
	g := n.Topology()
	require.Equal(t, "*memory.Backend", g.Backend)
	require.Equal(t, []string{"consent"}, g.Guards)
	require.Equal(t, []topology.Channel{{Name: "email", Providers: []topology.Provider{
		{Name: "mail-a", Type: "*notifytest.Provider[github.com/seed-6c01d079/notify.Email]"},
		{Name: "mail-b", Type: "*notifytest.Provider[github.com/seed-6c01d079/notify.Email]"},
	}}}, g.Channels)
	require.Equal(t, []topology.Topic{
		{Name: "notify.deliver.email.normal", Groups: []string{"notify"}},
		{Name: "notify.deliver.email.urgent", Groups: []string{"notify"}},
		{Name: "notify.events", Groups: []string{"notify.invoices", "notify.reader", "notify.all"}},
		{Name: "notify.route", Groups: []string{"notify"}},
	}, g.Topics)

	invoices, _ := g.Observer("invoices")
	require.Equal(t, "github.com/seed-6c01d079/notify_test.(*ledgers).invoice", invoices.Handlers[0].Function)
	require.True(t, strings.HasSuffix(invoices.Handlers[0].File, "/topology_test.go"), invoices.Handlers[0].File)
	require.Equal(t, 35, invoices.Handlers[0].Line, "where it was made a handler")
	require.Equal(t, []string{"notify.settled.v1"}, invoices.Handlers[0].Events)
	require.Equal(t, []topology.Output{{Type: "shop.invoiced.v1", Declared: true}, {Type: "shop.overdue.v1", Declared: true}}, invoices.Emits)
	require.Equal(t, &topology.Output{Declared: true}, invoices.Sends)
	reader, _ := g.Observer("reader")
	require.Equal(t, []string{
		"notify.archived.v1", "notify.clicked.v1", "notify.complained.v1", "notify.opened.v1", "notify.read.v1", "notify.replied.v1", "notify.unsubscribed.v1",
	}, reader.Handlers[0].Events)
	require.Equal(t, 3, reader.Concurrency)
	require.True(t, reader.Background)
	require.Empty(t, reader.Emits, "not declared, and not seen yet")

	read, _ := g.Event("notify.read.v1")
	require.Equal(t, topology.Event{
		Type: "notify.read.v1", Struct: "notify.Read", RaisedBy: []string{"report"}, HandledBy: []string{"all", "reader"},
	}, read)
	own, _ := g.Event("shop.invoiced.v1")
	require.Equal(t, topology.Event{
		Type: "shop.invoiced.v1", Struct: "notify_test.invoiced", Own: true, EmittedBy: []string{"invoices"}, HandledBy: []string{"all", "reader"},
	}, own)
	for _, e := range g.Events {
		require.True(t, e.Own || len(e.RaisedBy) > 0, "%s is raised by nobody", e.Type)
	}

	encoded, err := json.Marshal(g)
	require.NoError(t, err)
	var decoded topology.Graph
	require.NoError(t, json.Unmarshal(encoded, &decoded))
	require.Equal(t, *g, decoded)
}

// Who handles all events leaves none unhandled.
func TestTopologyOfUnhandledEvents(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	notify.On(n, "sent", func(context.Context, notify.Event[notify.Sent]) error { return nil })
	all := len(n.Topology().Events)
	require.Len(t, n.Topology().Unhandled(), all-1)
	require.NotContains(t, n.Topology().Unhandled(), "notify.sent.v1")
	web(n)
	require.Empty(t, n.Topology().Unhandled())
}

// What observers were seen to raise is there too, apart from what they declare.
func TestTopologyOfWhatWasSeen(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		web(b.Notifier)
		b.Settle(b.Send(toAnna(notify.EmailChannel)))
		b.Close()
		g := b.Notifier.Topology()
		invoices, _ := g.Observer("invoices")
		require.True(t, invoices.Emits[0].Declared)
		require.Positive(t, invoices.Emits[0].Seen)
		require.Equal(t, topology.Output{Type: "shop.overdue.v1", Declared: true}, invoices.Emits[1])
		reader, _ := g.Observer("reader")
		require.False(t, reader.Emits[0].Declared)
		require.Equal(t, invoices.Emits[0].Seen, reader.Emits[0].Seen)
		require.Equal(t, invoices.Emits[0].Seen, reader.Sends.Seen)
		overdue, _ := g.Event("shop.overdue.v1")
		require.Equal(t, []string{"invoices", "reader"}, overdue.EmittedBy)
		require.Contains(t, g.Mermaid(), `-.->|"shop.overdue.v1"| events`)
		require.NotContains(t, g.Pages()["topology.md"], "-.->", "pages hold what is declared")
	})
}
