package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// hasty is a service whose report is there before its answer.
type hasty struct{ called func() }

func (hasty) Name() string                      { return "mail" }
func (hasty) Capabilities() notify.Capabilities { return notify.Capabilities{Receipts: true} }

func (h hasty) Send(context.Context, notify.Delivery[notify.Email]) (notify.Receipt, error) {
	h.called()
	return notify.Receipt{MessageID: "m-1"}, nil
}

// noParked cannot read what is parked any more, as a process that dies before it.
type noParked struct {
	notifytest.FullBackend
	dying *atomic.Bool
}

func (b noParked) Load(ctx context.Context, id string) (backend.Record, error) {
	if b.dying.Load() && strings.HasPrefix(id, "parked/") {
		return backend.Record{}, errors.New("the process dies")
	}
	return b.FullBackend.Load(ctx, id)
}

// A report is parked, its message becomes known, and the process dies before it
// applies the one to the other: the next process does so when it begins.
func TestParkedReportAfterADeath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared, dying := memory.New(), &atomic.Bool{}
		open := func(b notify.Backend, provider hasty) (*notify.Notifier, func()) {
			n, err := notify.New(notify.Config{Backend: b, KeepBackend: true, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			notify.Use(n, provider)
			ran := make(chan error, 1)
			go func() { ran <- n.Run(context.Background()) }()
			return n, func() {
				require.NoError(t, n.Close(context.Background()))
				require.NoError(t, <-ran)
			}
		}
		var first *notify.Notifier
		first, end := open(noParked{shared, dying}, hasty{func() {
			if err := first.Report(context.Background(), notify.Report{Provider: "mail", MessageID: "m-1", Event: notify.Delivered{}}); err != nil {
				t.Error(err)
			}
			dying.Store(true)
		}})
		require.NoError(t, first.Ready(t.Context()))
		id, err := first.Send(t.Context(), toAnna(notify.EmailChannel))
		require.NoError(t, err)
		for e, err := range first.Watch(t.Context(), id) {
			require.NoError(t, err)
			if _, sent := e.Data.(notify.Sent); sent {
				break
			}
		}
		end()

		next, end := open(shared, hasty{func() {}})
		began := time.Now()
		status, err := next.Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateDelivered, status.State)
		require.Less(t, time.Since(began), 2*time.Second) // virtual
		end()
		require.NoError(t, shared.Close())
	})
}
