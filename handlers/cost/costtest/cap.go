package costtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
)

// TestCap puts more than the store keeps sums of, and checks that those of a
// period are complete or none, whatever comes late. A store opens as for
// [TestStore], but keeps about as many sums as it is told to. Unless it is nil,
// tidy is called when the store may be full, to have what is too much deleted with
// the next Put at the latest; it returns the store to go on with, which may have
// been opened anew.
func TestCap(t *testing.T, open func(t *testing.T, sums int) cost.Store, tidy func(t *testing.T, s cost.Store) cost.Store) {
	t.Helper()
	wrong, err := compareCap(t, open(t, cappedSums), tidy)
	require.NoError(t, err)
	require.Empty(t, wrong)
}

const (
	cappedSums    = 300
	cappedTenants = 60 // two sums each in a month with its day, and those over all
	cappedMonths  = 8
)

// compareCap returns what is wrong with the sums.
func compareCap(t *testing.T, s cost.Store, tidy func(t *testing.T, s cost.Store) cost.Store) (string, error) {
	t.Helper()
	want := map[string]int64{} // messages, by period
	month := func(n int) time.Time { return time.Date(2020, time.Month(1+n), 10, 12, 0, 0, 0, time.UTC) }
	of := func(at time.Time, tenant string, n int) cost.Entry {
		e := message(tenant, n)
		e.ID, e.NotificationID = fmt.Sprint(e.ID, at), fmt.Sprint(e.NotificationID, at)
		e.Month, e.Day = at.Format("2006-01"), at.Format("2006-01-02")
		e.At = at.Add(time.Duration(n) * time.Second)
		e.PricedAt = e.At
		return e
	}
	again := func() {
		if tidy != nil {
			s = tidy(t, s)
		}
	}
	put := func(e cost.Entry) error {
		tooOld, err := s.Put(t.Context(), e)
		for tries := 0; errors.Is(err, notify.ErrOverloaded) && tries < 5; tries++ {
			again()
			tooOld, err = s.Put(t.Context(), e)
		}
		if err == nil && tooOld > 0 {
			err = fmt.Errorf("%s is too old", e.ID)
		}
		return err
	}
	for n := range cappedMonths {
		for k := range cappedTenants {
			e := of(month(n), fmt.Sprint("t-", k), k)
			if err := put(e); err != nil {
				return "", err
			}
			want[e.Month]++
			want[e.Day]++
		}
		again()
	}
	// What it takes to move, correct and find late: of the first month, which has to
	// be gone by now, of one before it, and of the last.
	first, before, last := month(0), month(-1), month(cappedMonths-1)
	known, dearer, dollars := of(first, "t-7", 7), of(first, "t-8", 8), of(first, "t-9", 9)
	dearer.Source, dearer.Cost.Micros = cost.ByHost, 500
	dollars.Source, dollars.Cost = cost.ByHost, notify.Cost{Micros: 9, Currency: "USD"}
	moved := of(last, "t-10", 10)
	moved.ID, moved.NotificationID = of(first, "t-10", 10).ID, of(first, "t-10", 10).NotificationID
	moved.Facts = 2
	want[moved.Month]++
	want[moved.Day]++
	back := of(first, "t-11", 11)
	back.ID, back.NotificationID = of(last, "t-11", 11).ID, of(last, "t-11", 11).NotificationID
	back.Facts = 2
	want[moved.Month]--
	want[moved.Day]--
	for round := range 2 {
		late, later := of(first, "late", 100+round), of(before, "late", 200+round)
		for _, e := range []cost.Entry{known, late, later, dearer, dollars, moved, back} {
			if err := put(e); err != nil {
				return "", err
			}
			found, err := s.Entries(t.Context(), e.NotificationID)
			if err != nil || len(found) != 1 {
				return fmt.Sprintf("entry %s: found %+v", e.ID, found), err
			}
		}
		for n := -1; n < cappedMonths; n++ {
			for _, period := range []string{month(n).Format("2006-01"), month(n).Format("2006-01-02")} {
				isDropped := n <= 0
				wrong, err := compareWhole(t, s, period, want[period], isDropped)
				if wrong != "" || err != nil {
					return wrong, err
				}
			}
		}
		again()
	}
	return "", nil
}

// compareWhole tells what is wrong with the sums of a period, which have so many
// messages, or none if it was dropped, or may be.
func compareWhole(t *testing.T, s cost.Store, period string, want int64, isDropped bool) (string, error) {
	t.Helper()
	for _, q := range []cost.Query{{AllTenants: true}, {AllTenants: true, By: cost.ByTenant}} {
		q.Period, q.Limit = period, 1000
		page, err := s.Sums(t.Context(), q)
		if err != nil {
			return "", err
		}
		var got int64
		for _, sum := range page.Sums {
			got += sum.Messages
		}
		if isDropped && len(page.Sums) > 0 || !isDropped && len(page.Sums) > 0 && got != want {
			return fmt.Sprintf("%s by %q: there were %d messages, and the sums are %+v", period, q.By, want, page.Sums), nil
		}
		if isLast := period[:7] == fmt.Sprintf("2020-%02d", cappedMonths); isLast && got != want {
			return fmt.Sprintf("%s by %q: it is the last, and has %d messages of %d", period, q.By, got, want), nil
		}
	}
	return "", nil
}
