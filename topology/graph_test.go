package topology_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/topology"
)

// shop is a small program's.
func shop() *topology.Graph {
	return &topology.Graph{
		Source: "shop", Backend: "*memory.Backend", Guards: []string{"quiet_hours"},
		Channels: []topology.Channel{{Name: "email", Providers: []topology.Provider{{Name: "smtp", Type: "*smtp.Provider"}}}},
		Topics:   []topology.Topic{{Name: "notify.events", Groups: []string{"notify.receipts"}}},
		Events: []topology.Event{
			{Type: "notify.bounced.v1", Struct: "notify.Bounced", RaisedBy: []string{"report"}, HandledBy: []string{"receipts"}},
			{Type: "notify.sent.v1", Struct: "notify.Sent", RaisedBy: []string{"deliver"}},
			{Type: "shop.returned.v1", Struct: "shop.Returned", Own: true, EmittedBy: []string{"receipts"}, HandledBy: []string{`"all" <of> them`}},
		},
		Observers: []topology.Observer{
			{
				Name: "receipts", Group: "notify.receipts",
				Handlers: []topology.Handler{{For: "notify.Bounced", Events: []string{"notify.bounced.v1"}, Function: "example.com/shop.(*Receipts).Return"}},
				Emits:    []topology.Output{{Type: "shop.returned.v1", Declared: true}, {Type: "shop.seen.v1", Seen: 3}},
				Sends:    &topology.Output{Seen: 2},
			},
			{
				Name: `"all" <of> them`, Group: "notify.all",
				Handlers: []topology.Handler{{For: "shop.Returned", Events: []string{"shop.returned.v1"}, Function: "example.com/shop.Run.func1"}},
			},
		},
	}
}

func TestMermaid(t *testing.T) {
	t.Parallel()
	require.Equal(t, `flowchart LR
    send(["Send"])
    route["route"]
    send --> route
    events[("events")]
    route --> events
    c0["deliver email"]
    route --> c0
    c0p0{{"smtp"}}
    c0 --> c0p0
    c0 --> events
    o0[["receipts"]]
    events -->|"bounced"| o0
    o0 -->|"shop.returned.v1"| events
    o0 -.->|"shop.seen.v1"| events
    o0 -.-> send
    o1[["#quot;all#quot; #lt;of#gt; them"]]
    events -->|"shop.returned.v1"| o1
`, shop().Mermaid())
}

func TestEventMermaid(t *testing.T) {
	t.Parallel()
	g := shop()
	require.Equal(t, `flowchart LR
    event(["bounced"])
    s0["report"]
    s0 --> event
    o0[["receipts"]]
    event --> o0
    o0e0(["shop.returned.v1"])
    o0 --> o0e0
    o0e1(["shop.seen.v1"])
    o0 -.-> o0e1
    o0n(["a notification"])
    o0 -.-> o0n
`, g.EventMermaid("notify.bounced.v1"))
	require.Equal(t, `flowchart LR
    event(["shop.returned.v1"])
    o0[["receipts"]]
    o0 --> event
    o1[["#quot;all#quot; #lt;of#gt; them"]]
    event --> o1
`, g.EventMermaid("shop.returned.v1"))
	require.Empty(t, g.EventMermaid("notify.nothing.v1"))
}

// Pages hold what is declared, and what stays the same from one machine to the
// next.
func TestPages(t *testing.T) {
	t.Parallel()
	g := shop()
	before := g.Pages()
	require.NotContains(t, before["topology.md"]+before["events.md"], "-.->")
	require.Contains(t, before["topology.md"], "| receipts | notify.bounced.v1 | `shop.(*Receipts).Return` | shop.returned.v1 |\n")
	require.Contains(t, before["topology.md"], `quiet\_hours`)
	require.Contains(t, before["topology.md"], "## Events that nobody handles\n\n- notify.sent.v1\n")
	require.Contains(t, before["events.md"], "| shop.returned.v1 | receipts | \"all\" &lt;of> them |\n")
	require.Contains(t, before["lifecycle.md"], "    sending --> sent: sent\n")
	g.Observers[0].Emits[1].Seen, g.Observers[0].Sends = 100, nil
	g.Observers[0].Handlers[0].File, g.Observers[0].Handlers[0].Line = "/home/ann/receipts.go", 7
	require.Equal(t, before, g.Pages())
	g.Observers[0].Emits[1].Declared = true
	require.NotEqual(t, before, g.Pages())
}

// Every state can be reached, and every step begins where one can be.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	reached := map[string]bool{"": true}
	for _, step := range topology.Lifecycle() {
		require.True(t, reached[step.From], "%s is left before it is reached", step.From)
		reached[step.To] = true
	}
	require.Len(t, reached, 1+12, "all states but the beginning")
	require.True(t, strings.HasPrefix(topology.LifecycleMermaid(), "stateDiagram-v2\n    [*] --> accepted: accepted\n"))
}
