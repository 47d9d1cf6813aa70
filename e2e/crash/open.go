package main

import (
	"fmt"
	"net/rpc"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

// opened is a backend in use, with the points around it.
type opened struct {
	backend    backend.Backend
	records    notify.Records // nil: the backend's
	addressKey []byte         // nil: the backend's
	close      func() error   // closes what no Notifier does
}

// sharedKey is the key of addresses where processes share a backend.
var sharedKey = []byte("crash harness key")

// open opens the backend of a child's orders.
func open(o Orders, client *rpc.Client, p *points) (opened, error) {
	var bare backend.Backend
	var store backend.Records
	out := opened{addressKey: sharedKey, close: func() error { return nil }}
	switch o.Backend {
	case "memory":
		bare = memory.New()
	case "broker":
		f := far{client, o.Life}
		bare = farAtomic{f, farStore{client}}
	case "sqlite":
		bare = sqlite.Open(o.Where, func(c *sqlite.Config) {
			c.RetainFor, c.RetainMessages, c.SweepEvery, c.Logger = time.Second, 100, 50*time.Millisecond, logger(p) // so that there is something to delete
		})
		out.addressKey = nil
	case "apart":
		bare, store = far{client, o.Life}, farStore{client}
	case "postgres":
		bare = postgres.New(o.Where, func(c *postgres.Config) {
			c.Lease, c.Partitions, c.Poll, c.Retention, c.Logger = takeover, 4, 100*time.Millisecond, 4*time.Second, logger(p)
		})
	case "kafka":
		bare, store = openKafka(o.Where, p), farStore{client}
	case "kafka+postgres":
		brokers, dsn, _ := strings.Cut(o.Where, " ")
		records := postgres.Records(dsn, func(c *postgres.Config) { c.Logger = logger(p) })
		out.close = records.Close
		bare, store = openKafka(brokers, p), records
	default:
		return out, fmt.Errorf("there is no backend %q; there are: %s", o.Backend, backendNames)
	}
	all := partsOf(bare, store, p)
	if o.Without != "" {
		c, err := controlNamed(o.Without)
		if err != nil {
			return out, err
		}
		c.apply(all)
	}
	if store != nil {
		out.records = all.wrapStore()
	}
	var err error
	out.backend, err = all.wrapBackend(o.Echo)
	return out, err
}

// takeover is how long a process may be silent before another one gets its
// share of a group.
const takeover = time.Second

func openKafka(brokers string, p *points) backend.Backend {
	return kafka.New(strings.Split(brokers, ","), func(c *kafka.Config) {
		c.Partitions, c.Session, c.Heartbeat, c.CommitInterval = 4, takeover, takeover/20, 20*time.Millisecond
		c.Drain = takeover // how long a rebalance waits for members, dead ones too
		c.Logger = logger(p)
	})
}
