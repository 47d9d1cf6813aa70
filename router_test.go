package notify

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// unfixed is a backend that fixes no position.
type unfixed struct{ *memory.Backend }

func (unfixed) Fix(context.Context, string, string, backend.Start) error {
	return errors.New("unfixed")
}

// An observer that replaces one which could not be started may come while Run
// still ends.
func TestAnObserverThatReplacesOneThatNeverBegan(t *testing.T) {
	t.Parallel()
	b := unfixed{memory.New()}
	n, err := New(Config{Backend: b, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer func() { require.NoError(t, n.Close(context.Background())) }()
	On(n, "old", func(context.Context, Event[Sent]) error { return nil })
	require.Error(t, n.bus.startAll(t.Context()))
	On(n, "new", func(context.Context, Event[Sent]) error { return nil }, func(o *Observer) { o.FormerName = "old" })
	require.Empty(t, n.bus.tasks(), "nothing runs")
	require.NoError(t, n.Detach(t.Context(), "new"))
}
