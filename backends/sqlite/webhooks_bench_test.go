package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// BenchmarkWebhooks claims and finishes 64 deliveries at a time, of so many
// endpoints, for each of which a hundred messages wait. Some are disabled, some
// held, and some have all their calls leased.
func BenchmarkWebhooks(b *testing.B) {
	for _, endpoints := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) {
			s := open(b, onDisk(b)).Webhooks()
			at := now()
			full(b, s, at, endpoints)
			b.Run("claim and finish", func(b *testing.B) {
				deliveries := 0
				for i := 0; b.Loop(); i++ {
					when := at.Add(time.Duration(i) * time.Microsecond)
					claims, _, err := s.Claim(b.Context(), webhook.Claiming{Now: when, Until: when.Add(time.Hour), Lane: webhook.Slow, Limit: 64})
					require.NoError(b, err)
					require.NotEmpty(b, claims)
					deliveries += len(claims)
					finish(b, s, claims, when, when)
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(deliveries), "µs/delivery")
			})
			b.Run("claim", func(b *testing.B) {
				claimed := 0
				for i := 0; b.Loop(); i++ {
					// Each claim's leases are over for the next but some.
					when := at.Add(time.Hour + time.Duration(i)*time.Second)
					claims, _, err := s.Claim(b.Context(), webhook.Claiming{Now: when, Until: when.Add(time.Second), Lane: webhook.Slow, Limit: 64})
					require.NoError(b, err)
					claimed += len(claims)
				}
				require.Positive(b, claimed)
				b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(claimed), "µs/claim")
			})
			b.Run("nothing is due", func(b *testing.B) {
				for b.Loop() {
					claims, _, err := s.Claim(b.Context(), webhook.Claiming{Now: at.Add(-24 * time.Hour), Until: at, Lane: webhook.Slow, Limit: 64})
					require.NoError(b, err)
					require.Empty(b, claims)
				}
			})
			b.Run("add", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					_, err := s.Add(b.Context(), webhook.Message{ID: fmt.Sprint("add_", b.N, i, now().UnixNano()), Type: "few", Tenant: "shop", At: at, Body: make([]byte, 500)})
					require.NoError(b, err)
				}
			})
		})
	}
}

// full has a hundred messages wait for each endpoint.
func full(b *testing.B, s webhook.Store, at time.Time, endpoints int) {
	b.Helper()
	var running []webhook.Endpoint
	for i := range endpoints {
		running = append(running, hook(fmt.Sprintf("ep_%05d", i), func(e *webhook.Endpoint) {
			if e.Ordered = i%4 == 0; i%(endpoints/10) == 0 {
				e.Types = append(e.Types, "few")
			}
		}))
	}
	putHooks(b, s, running...)
	for i := range 100 {
		addHooks(b, s, at.Add(time.Duration(i-200)*time.Second), 500, fmt.Sprint("m_", i))
	}
	// A third of them is of no use.
	claims, _, err := s.Claim(b.Context(), webhook.Claiming{Now: at, Until: at.Add(365 * 24 * time.Hour), Lane: webhook.Slow, Limit: endpoints / 3})
	require.NoError(b, err)
	for i, c := range claims {
		switch o := tried(c, at, webhook.FailureStatus, at); i % 3 {
		case 0:
			o.Hold = at.Add(365 * 24 * time.Hour)
			require.NoError(b, s.Finish(b.Context(), c, o))
		case 1:
			o.Disable = webhook.DisabledGone
			require.NoError(b, s.Finish(b.Context(), c, o))
		}
	}
	waiting := 0
	for q := (webhook.Query{AllTenants: true, Limit: 500}); ; {
		page, err := s.List(b.Context(), q)
		require.NoError(b, err)
		for _, e := range page.Endpoints {
			waiting += e.Pending
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	require.Equal(b, 100*endpoints, waiting)
}

// finish finishes claims at once, to be tried again, as calls do that end together.
func finish(b *testing.B, s webhook.Store, claims []webhook.Claim, at, next time.Time) {
	b.Helper()
	failed := make(chan error, len(claims))
	for _, c := range claims {
		go func() { failed <- s.Finish(b.Context(), c, tried(c, at, webhook.FailureStatus, next)) }()
	}
	for range claims {
		require.NoError(b, <-failed)
	}
}
