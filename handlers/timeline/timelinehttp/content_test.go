package timelinehttp_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinehttp"
	"github.com/seed-6c01d079/notify/notifytest"
)

// Contents are served to who may see the notification, if the host says so.
func TestContents(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	mail := notifytest.NewProvider[notify.Email]("mail")
	notify.Use(n, mail)
	keys, err := timeline.NewKeyRing("k", map[string][]byte{"k": make([]byte, 32)})
	require.NoError(t, err)
	store := timeline.NewMemory()
	contents := timeline.NewContents(store, keys)
	n.Attach(timeline.New(store), contents)
	ran := make(chan error, 1)
	go func() { ran <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	serving := func(c *timelinehttp.Config) {
		c.Tenant = func(r *http.Request) (string, error) { return r.Header.Get("Tenant"), nil }
		c.Contents = contents
	}
	server := httptest.NewServer(timelinehttp.New(n, store, serving))
	mute := httptest.NewServer(timelinehttp.New(n, store, all))
	t.Cleanup(func() {
		require.NoError(t, n.Close(context.Background()))
		require.NoError(t, <-ran)
		server.Close()
		mute.Close()
	})
	s := &site{t: t, n: n, mail: mail, url: server.URL, http: server.Client()}
	id := s.settled("acme", "ann")
	path := "/notifications/" + id + "/contents"
	found := s.get(http.StatusOK, path, "Tenant", "acme")["contents"].([]any)
	require.Len(t, found, 1)
	one := found[0].(map[string]any)
	require.Equal(t, "email", one["channel"])
	require.Equal(t, "On its way.", one["message"].(map[string]any)["text"])
	require.Equal(t, "nosniff", s.request(path, "Tenant", "acme").Header.Get("X-Content-Type-Options"))

	require.Equal(t, "No such notification", s.get(http.StatusNotFound, path, "Tenant", "bank")["title"])
	s.get(http.StatusNotFound, "/notifications/n_0/contents", "Tenant", "acme")
	quiet := &site{t: t, n: n, url: mute.URL, http: mute.Client()}
	require.Equal(t, http.StatusNotFound, quiet.request(path).StatusCode)
	quiet.get(http.StatusOK, "/notifications/"+id)

	require.NoError(t, contents.Erase(t.Context(), id))
	s.get(http.StatusNotFound, path, "Tenant", "acme")
}

// Of what the timeline has dropped, a late event may be all that it knows: then it
// knows no tenant, and that is nobody's.
func TestContentsOfNoTenantAreNobodys(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer n.Close(context.Background())
	keys, err := timeline.NewKeyRing("k", map[string][]byte{"k": make([]byte, 32)})
	require.NoError(t, err)
	store := timeline.NewMemory()
	late := notify.Event[any]{Envelope: notify.Envelope{
		ID: "n_1/o", Type: "notify.opened.v1", NotificationID: "n_1", Tenant: "acme", Time: time.Now(),
	}, Data: notify.Opened{}}
	require.NoError(t, store.Add(t.Context(), late))
	handler := timelinehttp.New(n, store, func(c *timelinehttp.Config) {
		c.Tenant = func(*http.Request) (string, error) { return "", nil }
		c.Contents = timeline.NewContents(store, keys)
	})
	for _, path := range []string{"", "/n_1", "/n_1/contents", "/n_1/events"} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/notifications"+path, nil))
		require.Equal(t, http.StatusBadRequest, answer.Code, path+": "+answer.Body.String())
	}
}
