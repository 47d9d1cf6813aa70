package timelinehttp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinehttp"
)

func TestGet(t *testing.T) {
	t.Parallel()
	s := serve(t, all)
	id := s.settled("acme", "ann")
	found := s.get(http.StatusOK, "/notifications/"+id)
	status := found["status"].(map[string]any)
	require.Equal(t, id, status["notification_id"])
	require.Equal(t, "sent", status["state"])
	require.Equal(t, map[string]any{"order": "A-1"}, found["labels"])
	events := found["events"].([]any)
	require.Len(t, events, 6)
	sent := events[4].(map[string]any)
	require.Equal(t, "notify.sent.v1", sent["type"])
	require.Equal(t, "mail", sent["data"].(map[string]any)["provider"])
	require.Equal(t, map[string]any{"order": "A-1"}, sent["labels"])
	require.Equal(t, "No such notification", s.get(http.StatusNotFound, "/notifications/n_0")["title"])
}

func TestList(t *testing.T) {
	t.Parallel()
	s := serve(t, all)
	var ids []string
	for _, recipient := range []string{"ann", "bob", "ann"} {
		ids = append(ids, s.settled("acme", recipient))
	}
	list := func(path string) (found []string, next string) {
		body := s.get(http.StatusOK, path)
		for _, one := range body["notifications"].([]any) {
			found = append(found, one.(map[string]any)["status"].(map[string]any)["notification_id"].(string))
		}
		next, _ = body["next"].(string)
		return found, next
	}
	all, next := list("/notifications")
	require.Equal(t, []string{ids[2], ids[1], ids[0]}, all)
	require.Empty(t, next)
	first, next := list("/notifications?limit=2")
	require.Equal(t, all[:2], first)
	rest, next := list("/notifications?limit=2&after=" + next)
	require.Equal(t, all[2:], rest)
	require.Empty(t, next)
	for path, want := range map[string]int{
		"?recipient_id=ann": 2, "?state=sent&state=failed": 3, "?state=failed": 0, "?settled=true": 3, "?settled=false": 0,
		"?tenant=acme": 3, "?tenant=other": 0, "?tenant=": 0, "?category=x": 0,
		"?channel=email": 3, "?channel=sms": 0, "?label=order:A-1": 3, "?label=order:A-1&label=order:A-1": 3, "?label=order:A": 0,
		"?label=order:A-1&label=shop:Graz": 0, "?label=order:": 0, "?label=order:A-1&channel=email&recipient_id=bob": 1, "?from=2020-01-01T00:00:00Z": 3, "?until=2020-01-01T00:00:00%2B02:00": 0,
	} {
		found, _ := list("/notifications" + path)
		require.Len(t, found, want, path)
	}
}

// Everything that is wrong is said at once, by the parameter's name.
func TestBadQueries(t *testing.T) {
	t.Parallel()
	s := serve(t, all)
	for path, want := range map[string][]string{
		"?limit=x&settled=maybe&from=today&colour=red": {"limit", "settled", "from", "colour"},
		"?limit=0":                     {"limit"},
		"?limit=101":                   {"limit"},
		"?limit=-1":                    {"limit"},
		"?state=send":                  {"state"},
		"?state=sent&state=":           {"state"},
		"?limit=1&limit=2":             {"limit"},
		"?after=bm90aGluZw":            {"after"},
		"?until=2020-01-01":            {"until"},
		"?label=order":                 {"label"},
		"?label=:A-1":                  {"label"},
		"?label=order:A&label=order:B": {"label"},
		"?label=order:" + strings.Repeat("a", 129):              {"label"},
		"?channel=email&channel=sms":                            {"channel"},
		"?channel=" + strings.Repeat("a", 129):                  {"channel"},
		"?channel=%ff&limit=101&label=order:%ff":                {"channel", "limit", "label"},
		"?from=2021-01-01T00:00:00Z&until=2020-01-01T00:00:00Z": {"until"},
	} {
		var got []string
		for _, one := range s.get(http.StatusBadRequest, "/notifications"+path)["errors"].([]any) {
			got = append(got, one.(map[string]any)["parameter"].(string))
			require.NotEmpty(t, one.(map[string]any)["detail"])
		}
		require.ElementsMatch(t, want, got, path)
	}
}

// A page has no more bytes than are said, and what it left out is on the next.
func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	store := timeline.NewMemory()
	begun := time.Now().Add(-time.Hour)
	add := func(id string, minute, events, bytes int) {
		for i := range events {
			at := begun.Add(time.Duration(minute) * time.Minute).UTC()
			require.NoError(t, store.Add(t.Context(), notify.Event[any]{
				Envelope: notify.Envelope{ID: fmt.Sprint(id, "/", i), Type: "shop.paid.v1", Source: "/shop", Time: at, Seen: at, NotificationID: id},
				Data:     notify.Raw(`"` + strings.Repeat("x", bytes) + `"`),
			}))
		}
	}
	var want []string
	for i := range 30 {
		id := fmt.Sprint("n_", 29-i)
		add(id, 29-i, 10, 10_000)
		want = append(want, id)
	}
	add("n_large", 30, 10, 150_000) // more than a page, by itself
	want = append([]string{"n_large"}, want...)
	site := timelinehttp.New(n, store) // without tenants
	var got []string
	pages := 0
	for next := ""; pages == 0 || next != ""; pages++ {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/notifications?limit=100&after="+next, nil))
		require.Equal(t, http.StatusOK, w.Code)
		var page struct {
			Notifications []struct {
				Status struct {
					ID string `json:"notification_id"`
				}
			}
			Next string
		}
		bytes := w.Body.Len()
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
		require.NotEmpty(t, page.Notifications)
		require.True(t, bytes < 1<<20+1000 || len(page.Notifications) == 1)
		for _, one := range page.Notifications {
			got = append(got, one.Status.ID)
		}
		next = page.Next
	}
	require.Equal(t, want, got)
	require.Equal(t, 4, pages)
}

// States that the notifier knows are asked for by their names.
func TestAllStatesAreKnown(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../../status_state.go")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^\tState\w+ +State = "(\w+)"$`).FindAllSubmatch(source, -1)
	require.NotEmpty(t, found)
	site := unstarted(t)
	for _, state := range found {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/notifications?state="+string(state[1]), nil))
		require.Equal(t, http.StatusOK, w.Code, string(state[1]))
	}
}

// Who has a tenant sees that one's only, whatever is asked for.
func TestTenants(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *timelinehttp.Config) {
		c.Tenant = func(r *http.Request) (string, error) {
			if r.Header.Get("Tenant") == "none" {
				return "", errors.New("s3cret")
			}
			return r.Header.Get("Tenant"), nil
		}
	})
	mine, other := s.settled("acme", "ann"), s.settled("bank", "ann")
	require.Len(t, s.get(http.StatusOK, "/notifications", "Tenant", "acme")["notifications"], 1)
	require.Len(t, s.get(http.StatusOK, "/notifications?tenant=acme", "Tenant", "acme")["notifications"], 1)
	s.get(http.StatusForbidden, "/notifications?tenant=bank", "Tenant", "acme")
	s.get(http.StatusForbidden, "/notifications?tenant=", "Tenant", "acme")
	s.get(http.StatusOK, "/notifications/"+mine, "Tenant", "acme")
	for _, path := range []string{"/notifications/" + other, "/notifications/" + other + "/events"} {
		require.Equal(t, "No such notification", s.get(http.StatusNotFound, path, "Tenant", "acme")["title"])
	}
	for _, path := range []string{"/notifications", "/notifications/" + mine, "/notifications/" + mine + "/events"} {
		s.get(http.StatusBadRequest, path)
		require.NotContains(t, s.get(http.StatusForbidden, path, "Tenant", "none"), "detail")
	}
}

// A host that does not say whose a request is shows nothing that is a tenant's.
func TestWithoutTenants(t *testing.T) {
	t.Parallel()
	s := serve(t)
	mine, other := s.settled("", "ann"), s.settled("bank", "ann")
	for _, path := range []string{"/notifications", "/notifications?tenant=", "/notifications?recipient_id=ann", "/notifications?label=order:A-1", "/notifications?channel=email"} {
		found := s.get(http.StatusOK, path)["notifications"].([]any)
		require.Len(t, found, 1, path)
		require.Equal(t, mine, found[0].(map[string]any)["status"].(map[string]any)["notification_id"])
	}
	s.get(http.StatusForbidden, "/notifications?tenant=bank")
	s.get(http.StatusOK, "/notifications/"+mine)
	require.Len(t, s.stream("/notifications/"+mine+"/events").rest(), len(whole))
	for _, path := range []string{"/notifications/" + other, "/notifications/" + other + "/events"} {
		require.Equal(t, "No such notification", s.get(http.StatusNotFound, path)["title"])
	}
}

// A request cannot see one tenant and all of them.
func TestATenantAndAllTenants(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	var log bytes.Buffer
	site := timelinehttp.New(n, timeline.NewMemory(), all, func(c *timelinehttp.Config) {
		c.Tenant = func(*http.Request) (string, error) { return "acme", nil }
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	for _, path := range []string{"", "/n_1", "/n_1/events"} {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/notifications"+path, nil))
		require.Equal(t, http.StatusInternalServerError, w.Code, path)
	}
	require.Equal(t, 3, strings.Count(log.String(), "Config.AllTenants must not be set with a Tenant"))
}
