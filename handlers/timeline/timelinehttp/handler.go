// Package timelinehttp serves a timeline over HTTP, as JSON and as Server-Sent
// Events.
//
//	http.Handle("/", timelinehttp.New(n, store, func(c *timelinehttp.Config) { c.Tenant = tenantOf }))
//
//	GET /notifications?recipient_id=u_42&state=failed&limit=20&after=...
//	GET /notifications/{id}
//	GET /notifications/{id}/events
//
// The first is a page of a list: {"notifications": [...], "next": "..."}, whose
// parameters are the fields of [timeline.Query] in snake_case; state may be given
// several times, times are as in RFC 3339, and label=order:A-1017, which may be given
// several times too, asks for the label "order" with that value (a label whose name
// has a colon cannot be asked for). Without the parameter tenant the list is of all
// tenants that the request may see; with an empty one, of what has no tenant. A page
// has up to 100 notifications, by default 50, and ends earlier once it has 1 MiB:
// there are more pages as long as "next" is not empty. The second is one
// notification with its events. An event is {"id", "type", "time", "seen", "data",
// ...}, with the data as it travels.
//
// The third is a stream (text/event-stream, as the HTML standard has it in its
// section on server-sent events) of what is known of a notification and of what
// happens from now on, from the record: each event's ID is the stream's, its type
// the stream's event. It ends when the notification has settled. A client that
// connects again with the Last-Event-ID header gets what came after that, and 204
// (No Content), which tells it to stop, once nothing more comes. If that event is
// unknown or forgotten, all come again, after a [Config.Heartbeat] at the latest.
// Comments keep the connection open meanwhile.
//
// With [Config.Contents] there is one path more: what was sent, leg by leg, as
// {"contents": [{"leg", "channel", "at", "bytes", "message", ...}]}, in which a message
// that was too large to be kept is left out.
//
//	GET /notifications/{id}/contents
//
// Errors are problem details (RFC 9457), with the name of the parameter that is
// wrong. Memory holds open streams only, at most [Config.MaxStreams]; one more gets
// 503. The host decides who may see what: put its authentication before the handler,
// and see [Config.Tenant].
package timelinehttp

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

const (
	maxLimit = 100
	maxBytes = 1 << 20 // of a page, unless one notification has more
)

// Config is what a handler allows.
type Config struct {
	// Tenant returns the tenant that the request may see, and no other: the
	// notifications of others are not found. An error is answered with 403, and
	// its text goes to the Logger only; an empty tenant with 400. Nil is for a host
	// without tenants: only notifications without one are shown.
	Tenant func(*http.Request) (string, error)
	// AllTenants says that the tenant is not looked at: everything is shown, to an
	// operator say. With Tenant every request is answered with 500, and the Logger
	// gets why.
	AllTenants bool
	// Contents, if set, are served to whoever may see the notification: recipients'
	// addresses and all that was written to them. Nil: there is no such path.
	Contents *timeline.Contents
	// MaxStreams is how many streams may be open at once; default 1,000.
	MaxStreams int
	// Heartbeat is the time between comments in a stream; default 15 s.
	Heartbeat time.Duration
	// Logger gets what clients are not told: why the timeline could not be read, and
	// why Tenant refused; default [slog.Default].
	Logger *slog.Logger
}

type handler struct {
	config   Config
	notifier *notify.Notifier
	store    timeline.Store
	streams  chan struct{} // holds one for each that is open
}

// New returns a handler of the paths above; use [http.StripPrefix] for others.
// Options change its [Config]. It is safe for concurrent use. Streams end when n
// does.
func New(n *notify.Notifier, store timeline.Store, options ...func(*Config)) http.Handler {
	h := &handler{notifier: n, store: store}
	for _, option := range options {
		option(&h.config)
	}
	if h.config.MaxStreams <= 0 {
		h.config.MaxStreams = 1000
	}
	if h.config.Heartbeat <= 0 {
		h.config.Heartbeat = 15 * time.Second
	}
	if h.config.Logger == nil {
		h.config.Logger = slog.Default()
	}
	h.streams = make(chan struct{}, h.config.MaxStreams)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notifications", h.list)
	mux.HandleFunc("GET /notifications/{id}", h.get)
	mux.HandleFunc("GET /notifications/{id}/events", h.stream)
	if h.config.Contents != nil {
		mux.HandleFunc("GET /notifications/{id}/contents", h.contents)
	}
	return mux
}

// tenant returns the tenant of the request, and whether it goes on.
func (h *handler) tenant(w http.ResponseWriter, r *http.Request) (tenant string, ok bool) {
	switch {
	case h.config.Tenant == nil:
		return "", true
	case h.config.AllTenants:
		h.fail(w, r, errors.New("Config.AllTenants must not be set with a Tenant"))
		return "", false
	}
	tenant, err := h.config.Tenant(r)
	if err != nil {
		h.config.Logger.InfoContext(r.Context(), "timelinehttp: a request was refused for its tenant", "error", err)
		write(w, problem{Title: "Not allowed", Status: http.StatusForbidden})
		return "", false
	}
	if tenant == "" { // which is also that of an entry whose tenant is not known
		h.fail(w, r, &notify.FieldError{Field: "tenant", Problem: "the request has none"})
		return "", false
	}
	return tenant, true
}

// shows tells whether a notification of that tenant may be seen.
func (h *handler) shows(of, tenant string) bool { return h.config.AllTenants || of == tenant }

func (h *handler) get(w http.ResponseWriter, r *http.Request) {
	tenant, ok := h.tenant(w, r)
	if !ok {
		return
	}
	entry, err := h.store.Get(r.Context(), r.PathValue("id"))
	if err == nil && !h.shows(entry.Status.Tenant, tenant) {
		err = notify.ErrNotFound
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	found, err := h.entry(entry)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	respond(w, http.StatusOK, "application/json", found)
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	tenant, ok := h.tenant(w, r)
	if !ok {
		return
	}
	q, err := query(r.URL.RawQuery)
	if err == nil && !h.config.AllTenants {
		if !q.AllTenants && q.Tenant != tenant {
			write(w, problem{Title: "Not allowed", Status: http.StatusForbidden})
			return
		}
		q.Tenant, q.AllTenants = tenant, false
	}
	var page timeline.Page
	if err == nil {
		page, err = h.store.List(r.Context(), q)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	list := struct {
		Notifications []json.RawMessage `json:"notifications"`
		Next          string            `json:"next,omitempty"`
	}{Notifications: []json.RawMessage{}, Next: page.Next}
	size := 0
	for i, e := range page.Entries {
		one, err := h.entry(e)
		var encoded []byte
		if err == nil {
			encoded, err = json.Marshal(one)
		}
		if err != nil {
			h.fail(w, r, err)
			return
		}
		if size += len(encoded); size > maxBytes && i > 0 {
			list.Next = page.Entries[i-1].Position().Cursor()
			break
		}
		list.Notifications = append(list.Notifications, encoded)
	}
	respond(w, http.StatusOK, "application/json", list)
}

// problem is an answer by RFC 9457.
type problem struct {
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Errors []fieldError `json:"errors,omitempty"`
}

type fieldError struct {
	Parameter string `json:"parameter"`
	Detail    string `json:"detail"`
}

// fail answers with what went wrong, as far as the client has to do with it.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem{Title: "The timeline could not be read", Status: http.StatusInternalServerError}
	switch fields := notify.FieldErrors(err); {
	case len(fields) > 0:
		p = problem{Title: "The request is wrong", Status: http.StatusBadRequest}
		for _, f := range fields {
			p.Errors = append(p.Errors, fieldError{parameter(f.Field), f.Problem})
		}
	case errors.Is(err, notify.ErrNotFound):
		p = problem{Title: "No such notification", Status: http.StatusNotFound}
	case errors.Is(err, notify.ErrClosed), errors.Is(err, notify.ErrOverloaded):
		p.Status = http.StatusServiceUnavailable
	default:
		h.config.Logger.ErrorContext(r.Context(), "timelinehttp: the timeline could not be read", "error", err)
	}
	write(w, p)
}

func write(w http.ResponseWriter, p problem) {
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	respond(w, p.Status, "application/problem+json", p)
}

func respond(w http.ResponseWriter, status int, contentType string, body any) {
	encoded, err := json.Marshal(body)
	if err != nil { // of ours: it has a form
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(encoded, '\n'))
}
