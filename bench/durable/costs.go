package durable

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/handlers/cost"
)

// Costs counts what messages cost, each by itself, and then checks the sum.
func Costs(s Store, callers int, length bench.Length) (bench.Cost, error) {
	return with(s, func(b Backend) (bench.Cost, error) {
		keeper, ok := b.(interface{ Costs() cost.Store })
		if !ok {
			return bench.Cost{}, fmt.Errorf("%T keeps no costs", b)
		}
		store := keeper.Costs()
		now := time.Now().UTC()
		run, err := call(callers, length, func(n int64) error {
			id := "n_" + strconv.FormatInt(n, 10)
			_, err := store.Put(context.Background(), cost.Entry{
				ID: id + "/1.1", NotificationID: id, Month: now.Format("2006-01"), At: now,
				Group: cost.Group{Tenant: "t_" + strconv.FormatInt(n%100, 10), Channel: notify.EmailChannel, Provider: "smtp", Event: "notify.sent.v1"},
				Count: cost.Count{Messages: 1}, Facts: 1, By: id + "/1.1/sent",
				Cost: notify.Cost{Micros: 100, Currency: "EUR"}, Source: cost.ByBook, PricedAt: now, PricedBy: id + "/1.1/sent",
			})
			return err
		})
		if err != nil {
			return run, err
		}
		page, err := store.Sums(context.Background(), cost.Query{Period: now.Format("2006-01"), AllTenants: true})
		if err == nil && (len(page.Sums) != 1 || page.Sums[0].Micros != 100*page.Sums[0].Messages || page.Sums[0].Messages < int64(run.Events)) {
			err = fmt.Errorf("%d messages were counted as %+v", run.Events, page.Sums)
		}
		return run, err
	})
}
