package durable_test

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-6c01d079/notify/backends/postgres/postgrestest"
	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/durable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestJobsOnSQLite(t *testing.T) {
	store, err := durable.OpenSQLite(t.TempDir())
	require.NoError(t, err)
	jobs(t, store)
}

func TestJobsOnPostgres(t *testing.T) {
	store, err := durable.OpenPostgres(os.Getenv("NOTIFY_TEST_POSTGRES"), 8)
	if errors.Is(err, postgrestest.ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err)
	jobs(t, store)
}

// jobs does every job, none of which loses anything.
func jobs(t *testing.T, store durable.Store) {
	t.Helper()
	defer func() { require.NoError(t, store.Close()) }()
	for _, job := range []func(durable.Store, int, bench.Length) (bench.Cost, error){
		durable.RawPublish, durable.RawAccept, durable.Publish, durable.Commit, durable.Send, durable.Settle, durable.Costs,
		durable.RawTimeline, durable.Timeline,
	} {
		cost, err := job(store, 4, bench.Times(40))
		require.NoError(t, err)
		require.GreaterOrEqual(t, cost.Events, 40)
	}
	cost, err := durable.Consume(store, 3, 2500)
	require.NoError(t, err)
	require.Equal(t, 2500, cost.Events)
}
