package timelinehttp_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinehttp"
)

func unstarted(t testing.TB) http.Handler {
	t.Helper()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return timelinehttp.New(n, timeline.NewMemory(), all)
}

// A query that cannot be read is refused, rather than read in part.
func TestQueriesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	site := unstarted(t)
	for _, query := range []string{"limit=%zz", "tenant=acme;limit=1", "%=1", "tenant=a&recipient_id=%e"} {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/notifications", RawQuery: query}, Header: http.Header{}})
		require.Equal(t, http.StatusBadRequest, w.Code, query)
		require.Contains(t, w.Body.String(), `"parameter":"query"`, query)
	}
}

// Whatever a client writes, it gets an answer in JSON, and what is wrong by its
// parameter's name.
func FuzzRequest(f *testing.F) {
	for _, query := range []string{
		"", "limit=1", "limit=-1", "limit=501", "after=bm90aGluZw", "after=%00", "from=2020-01-01T00:00:00Z", "from=0000-00-00", "settled=1", "state=sent&state=x",
		"limit=%zz", "a;b", "limit=9223372036854775808", "until=9999-12-31T23:59:59.999999999Z", "tenant=" + strings.Repeat("x", 5000),
	} {
		f.Add(query, "n_1/x/sent")
	}
	for _, last := range []string{"", "n_0/x", "n_1/", "n_1/\x00", "n_1/\r\nid: 1", strings.Repeat("n_1/", 5000), "\xff"} {
		f.Add("", last)
	}
	site := unstarted(f)
	f.Fuzz(func(t *testing.T, query, last string) {
		for _, path := range []string{"/notifications", "/notifications/n_1/events"} {
			w := httptest.NewRecorder()
			site.ServeHTTP(w, &http.Request{
				Method: http.MethodGet, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{"Last-Event-Id": []string{last}},
			})
			require.Contains(t, []int{http.StatusOK, http.StatusBadRequest, http.StatusNotFound}, w.Code)
			require.True(t, json.Valid(w.Body.Bytes()), w.Body)
			if w.Code == http.StatusBadRequest {
				require.Contains(t, w.Body.String(), `"parameter":"`)
			}
			require.Less(t, w.Body.Len(), 100_000+10*len(query))
		}
	})
}
