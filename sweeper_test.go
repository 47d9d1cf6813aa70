package notify

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/memory"
)

// Nobody writes to a record that is stored, also not a sweep that finds nothing
// to do: others are reading it.
func TestASweepLeavesWhatIsStoredAsItIs(t *testing.T) {
	t.Parallel()
	shared := memory.New()
	defer func() { require.NoError(t, shared.Close()) }()
	var both [2]*Notifier
	for i := range both {
		n, err := New(Config{Backend: shared, KeepBackend: true})
		require.NoError(t, err)
		defer func() { require.NoError(t, n.Close(context.Background())) }()
		both[i] = n
	}
	now := time.Now()
	_, err := both[0].ledger.save(t.Context(), &record{
		Version: recordVersion, ID: "n", Request: &Notification{}, AcceptedAt: now, Deadline: now.Add(time.Hour),
	}, 0)
	require.NoError(t, err)
	stored, err := both[0].ledger.load(t.Context(), "n")
	require.NoError(t, err)

	require.NoError(t, both[1].sweeper.take(t.Context(), "n"))
	require.Same(t, both[0].codec, stored.codec)
	again, err := both[1].ledger.load(t.Context(), "n")
	require.NoError(t, err)
	require.Greater(t, again.revision, stored.revision, "its due time was moved")
}
