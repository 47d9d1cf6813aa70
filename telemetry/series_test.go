package telemetry

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
)

// Beyond the bound everything is counted still, under _other.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	s := series[eventKey]{beyond: eventKey.beyond, set: eventKey.set}
	const goroutines, each = 4, 3000
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range each {
				s.add(eventKey{event: []string{"sent", "failed"}[i%2], tenant: strconv.Itoa(i)}, 1)
			}
		})
	}
	wg.Wait()
	var total int64
	count := 0
	s.each(func(n int64, _ metric.MeasurementOption) {
		total += n
		count++
	})
	require.EqualValues(t, goroutines*each, total)
	require.LessOrEqual(t, count, maxSeries+2, "one _other for each event")
	require.Positive(t, s.of(eventKey{"sent", other, other, other}).n.Load())
}

func TestTenantsAreBounded(t *testing.T) {
	t.Parallel()
	tenants := newTenants([]string{"listed", "listed"}, 10)
	labels := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 1000 {
				label := tenants.label(strconv.Itoa(i))
				mu.Lock()
				labels[label] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, labels, 11)
	require.True(t, labels[other])
	require.Equal(t, "listed", tenants.label("listed"))
	require.Empty(t, tenants.label(""))
	require.Empty(t, newTenants(nil, 0).label("any"))
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{"EUR": "EUR", "": other, "eur": other, "EURO": other, "E\"R": other, "ann@example.com": other} {
		require.Equal(t, want, currency(code))
	}
}

func TestEventNames(t *testing.T) {
	t.Parallel()
	for wire, want := range map[string]string{"notify.sent.v1": "sent", "notify.address_invalid.v12": "address_invalid", "shop.paid.v1": "shop.paid", "": ""} {
		require.Equal(t, want, eventName(wire))
	}
}
