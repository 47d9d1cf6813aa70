package backend_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
)

func handle(context.Context, *backend.Batch) (int, error) { return 0, nil }

func TestConsumptionWantsTopicGroupAndHandle(t *testing.T) {
	t.Parallel()
	for field, c := range map[string]backend.Consumption{
		"Topic":  {Group: "g", Handle: handle},
		"Group":  {Topic: "t", Handle: handle},
		"Handle": {Topic: "t", Group: "g"},
	} {
		require.ErrorContains(t, c.Complete(), "Consumption."+field)
	}
}

func TestConsumptionHasDefaults(t *testing.T) {
	t.Parallel()
	c := backend.Consumption{Topic: "t", Group: "g", Handle: handle}
	require.NoError(t, c.Complete())
	require.Equal(t, 1, c.Concurrency)
	require.Equal(t, 256, c.MaxBatch)
	for i, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		require.Equal(t, want, c.Backoff(i+1, errors.New("any")))
	}
	require.Equal(t, time.Minute, c.Backoff(11, nil))
	require.Equal(t, time.Minute, c.Backoff(1_000_000, nil))
	require.Equal(t, 100*time.Millisecond, c.Backoff(0, nil))
}
