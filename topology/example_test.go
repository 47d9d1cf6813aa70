package topology_test

import (
	"context"
	"fmt"

	"github.com/seed-6c01d079/notify"
)

func Example() {
	n, err := notify.New(notify.Config{})
	if err != nil {
		panic(err)
	}
	notify.On(n, "receipts", func(context.Context, notify.Event[notify.Bounced]) error { return nil })

	g := n.Topology()
	fmt.Print(g.EventMermaid("notify.bounced.v1"))
	fmt.Println(len(g.Unhandled()), "events are handled by nobody")
	// Output:
	// flowchart LR
	//     event(["bounced"])
	//     s0["report"]
	//     s0 --> event
	//     o0[["receipts"]]
	//     event --> o0
	// 32 events are handled by nobody
}
