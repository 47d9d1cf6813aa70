package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
)

// CountedEvents is [BareEvents] with a ledger (handlers/cost) beside the
// observers, in memory, which prices and counts each notification's message.
func CountedEvents(outstanding int, length Length) (Cost, error) {
	run, err := counted(outstanding, length)
	if err != nil {
		return Cost{}, fmt.Errorf("counted events: %w", err)
	}
	return run, nil
}

func counted(outstanding int, length Length) (Cost, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	gate := NewGate(SendObservers+1, outstanding)
	store := &counting{Store: cost.NewMemory(), gate: gate}
	ledger := cost.New(store, cost.Book{Currency: "EUR", Messages: []cost.MessagePrice{{Channel: notify.EmailChannel, PerMessage: 100 * cost.Micro}}})
	var seen [SendObservers]tally
	n, stop, err := Open(notify.Config{}, func(n *notify.Notifier) {
		observeAll(n, gate, &seen)
		n.Attach(ledger)
	})
	if err != nil {
		return Cost{}, err
	}
	run, err := fanOut(ctx, gate, func(seq uint64) error { return raise(ctx, n, "n_"+strconv.FormatUint(seq, 10)) }, length)
	if err = errors.Join(err, stop()); err == nil {
		err = gate.Check()
	}
	if err == nil {
		err = checkSum(ledger, began, gate.Published())
	}
	return run, err
}

// checkSum tells whether the ledger has counted each message once, in the months
// from began until now.
func checkSum(ledger *cost.Ledger, began time.Time, published int) error {
	var messages int64
	for month := range map[string]bool{month(began): true, month(time.Now()): true} {
		page, err := ledger.Sums(context.Background(), cost.Query{Period: month, AllTenants: true, Event: "notify.sent.v1"})
		if err != nil {
			return err
		}
		for _, sum := range page.Sums {
			messages += sum.Messages
		}
	}
	if messages != int64(published) {
		return fmt.Errorf("the ledger has %d messages of %d", messages, published)
	}
	return nil
}

func month(t time.Time) string { return t.UTC().Format("2006-01") }

// counting tells the gate of each message that was put.
type counting struct {
	cost.Store
	gate *Gate
}

func (c *counting) Put(ctx context.Context, entries ...cost.Entry) (int, error) {
	tooOld, err := c.Store.Put(ctx, entries...)
	if err == nil && entries[0].NotificationID != "" {
		c.gate.Handled(SendObservers, 1)
	}
	return tooOld, err
}
