package timelinehttp_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinehttp"
)

// A program serves what became of its notifications.
func Example() {
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	store := timeline.NewMemory()
	n.Attach(timeline.New(store))
	operator := func(c *timelinehttp.Config) { c.AllTenants = true }
	site := http.NewServeMux()
	site.Handle("/admin/", http.StripPrefix("/admin", timelinehttp.New(n, store, operator)))

	answer := httptest.NewRecorder()
	site.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/admin/notifications?state=failed&limit=20", nil))
	fmt.Println(answer.Code, answer.Body)
	answer = httptest.NewRecorder()
	site.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/admin/notifications/n_0", nil))
	fmt.Println(answer.Code, answer.Body)
	// Output:
	// 200 {"notifications":[]}
	//
	// 404 {"title":"No such notification","status":404}
}
