package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/notifytest"
)

// drop removes a schema from a server that is not ours.
func drop(tb testing.TB, name string) {
	conn, err := pgx.Connect(context.Background(), dsn)
	require.NoError(tb, err)
	_, err = conn.Exec(context.Background(), "drop schema if exists "+name+" cascade")
	require.NoError(tb, err)
	require.NoError(tb, conn.Close(context.Background()))
}

func TestRecords(t *testing.T) {
	notifytest.TestRecords(t, func(tb testing.TB) backend.Records {
		return postgres.Records(dsn, schema(tb), func(c *postgres.Config) { c.MaxRecords, c.MaxDeadLetters = 600, 500 })
	}, notifytest.Features{Records: true, DeadLetters: true, DeadLetterCounter: true, MaxRecords: 600, MaxDeadLetters: 500})
}
