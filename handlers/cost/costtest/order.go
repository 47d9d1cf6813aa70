package costtest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
)

// checkOrder puts the parts of messages in random order, some of them several
// times and several at once, and compares with what comes once and in order.
func checkOrder(t *testing.T, s cost.Store) {
	expected := cost.NewMemory()
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 12 {
		month := fmt.Sprintf("2026-%02d", round+1)
		parts := partsOf(month, r)
		put(t, expected, parts...)
		shuffled := append([]cost.Entry(nil), parts...)
		for range len(parts) / 2 {
			shuffled = append(shuffled, parts[r.IntN(len(parts))])
		}
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for len(shuffled) > 0 {
			n := min(1+r.IntN(5), len(shuffled))
			_, err := s.Put(t.Context(), shuffled[:n]...)
			require.NoError(t, err)
			shuffled = shuffled[n:]
		}
		for _, q := range []cost.Query{
			{AllTenants: true}, {AllTenants: true, By: cost.ByTenant}, {AllTenants: true, By: cost.ByCountry}, {AllTenants: true, By: cost.ByObserver},
		} {
			q.Period = month
			require.Equal(t, sums(t, expected, q), sums(t, s, q), "%+v", q)
		}
		for _, e := range parts {
			if e.NotificationID == "" {
				continue
			}
			want, err := expected.Entries(t.Context(), e.NotificationID)
			require.NoError(t, err)
			got, err := s.Entries(t.Context(), e.NotificationID)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

// partsOf are the parts of some messages and of what observers used.
func partsOf(month string, r *rand.Rand) (parts []cost.Entry) {
	for n := range 8 {
		sent := message(fmt.Sprintf("%s-%d", month, n%3), n)
		sent.Month, sent.Day = month, month+"-14"
		switch r.IntN(3) {
		case 0:
			sent.Cost, sent.Source = notify.Cost{}, cost.Unpriced
		case 1:
			sent.Source, sent.Cost.Currency = cost.ByReceipt, "USD"
		}
		parts = append(parts, sent)
		for k := range r.IntN(3) { // reports of what it cost
			report := sent
			report.Facts, report.Country, report.Segments, report.Day = 0, "", 0, ""
			report.By = fmt.Sprint("report-", k)
			report.Source, report.PricedAt, report.PricedBy = cost.ByReport, began.Add(time.Duration(r.IntN(3))*time.Hour), report.By
			report.Cost = notify.Cost{Micros: int64(r.IntN(1000)), Currency: []string{"EUR", "USD"}[r.IntN(2)]}
			parts = append(parts, report)
		}
	}
	for version := range 4 { // totals that grow
		at := began.Add(time.Duration(version) * time.Second)
		parts = append(parts, cost.Entry{
			ID: "observer/" + month, Group: cost.Group{Observer: "o", Event: "e"}, Month: month, At: at, By: month,
			Count: cost.Count{Invocations: int64(10 * (version + 1)), Time: time.Duration(version+1) * time.Minute}, Facts: int64(version + 1),
			Cost: notify.Cost{Micros: int64(7 * version), Currency: "EUR"}, Source: cost.ByBook, PricedAt: at, PricedBy: month,
		})
	}
	return parts
}
