package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// BenchmarkWebhooks has so many endpoints, for each of which 112 messages
// wait, but for one in ten; of the others one in three is disabled, held, or has all
// its calls under way.
func BenchmarkWebhooks(b *testing.B) {
	for _, endpoints := range []int{100, 10_000} {
		named := schema(b)
		where := durable(b)
		back := postgres.Records(where, named)
		_, _ = back.Load(context.Background(), "none")
		s := back.Webhooks()
		conn, err := pgx.Connect(context.Background(), where)
		require.NoError(b, err)
		populate(b, conn, schemaOf(named), endpoints, 112)
		ready(b, conn, schemaOf(named))
		now := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
		waiting := func(what string) string {
			return fmt.Sprintf("endpoints=%d/waiting=%d/%s", endpoints, endpoints*9/10*112, what)
		}
		claim := func(b *testing.B, limit int) []webhook.Claim {
			now = now.Add(time.Second)
			claims, _, err := s.Claim(context.Background(), webhook.Claiming{Now: now, Until: now.Add(time.Minute), Lane: webhook.Slow, Limit: limit})
			require.NoError(b, err)
			return claims
		}
		for _, limit := range []int{1, 64} {
			b.Run(waiting(fmt.Sprintf("Claim/limit=%d", limit)), func(b *testing.B) {
				got := 0
				for b.Loop() {
					got += len(claim(b, limit))
				}
				b.ReportMetric(float64(got)/float64(b.N), "claims/op")
			})
		}
		b.Run(waiting("ClaimAndFinish"), func(b *testing.B) {
			i := 0
			for b.Loop() {
				for _, c := range claim(b, 32) {
					require.NoError(b, s.Finish(context.Background(), c, outcome(c, now, webhook.FailureStatus)))
					i++
				}
			}
			b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "calls/s")
		})
		b.Run(waiting("NothingDue"), func(b *testing.B) {
			early := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				claims, _, err := s.Claim(context.Background(), webhook.Claiming{Now: early, Until: early, Lane: webhook.Slow, Limit: 64})
				require.NoError(b, err)
				require.Empty(b, claims)
			}
		})
		b.Run(waiting("Add/wanting=10"), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				m := webhookMessage(fmt.Sprintf("new_%d_%d", b.N, i), now)
				m.Tenant = fmt.Sprint("tenant_", i%(endpoints/10))
				_, err := s.Add(context.Background(), m)
				require.NoError(b, err)
			}
		})
		require.NoError(b, conn.Close(context.Background()))
		require.NoError(b, back.Close())
	}
}
