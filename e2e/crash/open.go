package main

import (
	"fmt"
	"net/rpc"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

// opened is a backend in use, with the points around it.
type opened struct {
	backend    backend.Backend
	records    notify.Records // nil: the backend's
	addressKey []byte         // nil: the backend's
}

// sharedKey is the key of addresses where processes share a backend.
var sharedKey = []byte("crash harness key")

// open opens the backend of a child's orders.
func open(o Orders, client *rpc.Client, p *points) (opened, error) {
	var bare backend.Backend
	var store backend.Records
	out := opened{addressKey: sharedKey}
	switch o.Backend {
	case "memory":
		bare = memory.New()
	case "broker":
		f := far{client, o.Life}
		bare = farAtomic{f, farStore{client}}
	case "sqlite":
		bare = sqlite.Open(o.Where, func(c *sqlite.Config) {
			c.RetainFor, c.RetainMessages, c.Logger = time.Second, 100, logger() // so that there is something to delete
		})
		out.addressKey = nil
	case "apart":
		bare, store = far{client, o.Life}, farStore{client}
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

const backendNames = "memory, broker, apart, sqlite"
