package timelinehttp_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinehttp"
)

type brokenStore struct{ timeline.Store }

func (brokenStore) Get(context.Context, string) (timeline.Entry, error) {
	return timeline.Entry{}, errors.New("the disk is on fire")
}

// What clients are not told is in the log.
func TestTheLogHasTheCause(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close(context.Background())) })
	for cause, refused := range map[string]error{"the disk is on fire": nil, "the session has expired": errors.New("the session has expired")} {
		var log bytes.Buffer
		h := timelinehttp.New(n, brokenStore{timeline.NewMemory()}, func(c *timelinehttp.Config) {
			c.Tenant = func(*http.Request) (string, error) { return "acme", refused }
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/notifications/n_1", nil))
		require.GreaterOrEqual(t, w.Code, 400)
		require.NotContains(t, w.Body.String(), cause)
		require.Contains(t, log.String(), cause)
	}
}
