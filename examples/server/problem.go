package main

import (
	_ "embed"
	"encoding/json"
	"net/http"
)

// problem is an answer by RFC 9457. Its type is a link to the text about it.
type problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Errors []fieldError `json:"errors,omitempty"`
}

// fieldError is what is wrong with one part of a request: of its body, by a JSON
// Pointer (RFC 6901, section 6), or of its header. It never holds the value.
type fieldError struct {
	Pointer string `json:"pointer,omitempty"`
	Header  string `json:"header,omitempty"`
	Detail  string `json:"detail"`
}

// Each is explained in problems.md.
var (
	notJSON     = problem{Type: "/problems#not-json", Status: http.StatusBadRequest, Title: "The body is not a JSON object"}
	invalid     = problem{Type: "/problems#invalid", Status: http.StatusBadRequest, Title: "The request is wrong"}
	wrongType   = problem{Type: "/problems#wrong-type", Status: http.StatusUnsupportedMediaType, Title: "The body has to be application/json"}
	tooLarge    = problem{Type: "/problems#too-large", Status: http.StatusRequestEntityTooLarge, Title: "The notification is too large"}
	keyReused   = problem{Type: "/problems#key-reused", Status: http.StatusUnprocessableEntity, Title: "The Idempotency-Key was used for another request"}
	notFound    = problem{Type: "/problems#not-found", Status: http.StatusNotFound, Title: "No such notification"}
	tooLate     = problem{Type: "/problems#too-late", Status: http.StatusConflict, Title: "The notification has settled"}
	noSuchPath  = problem{Type: "/problems#no-such-path", Status: http.StatusNotFound, Title: "Nothing is served at this path"}
	wrongMethod = problem{Type: "/problems#wrong-method", Status: http.StatusMethodNotAllowed, Title: "The path does not take this method"}
	unsupported = problem{Type: "/problems#unsupported", Status: http.StatusNotImplemented, Title: "This server keeps no records"}
	unavailable = problem{Type: "/problems#unavailable", Status: http.StatusServiceUnavailable, Title: "Come again later"}
)

// with is the problem with what is particular to this occurrence.
func (p problem) with(detail string, errors ...fieldError) problem {
	p.Detail, p.Errors = detail, errors
	return p
}

func (p problem) write(w http.ResponseWriter) {
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	respond(w, p.Status, "application/problem+json", p)
}

// respond writes a value of this program's as JSON.
func respond(w http.ResponseWriter, status int, contentType string, body any) {
	encoded, err := json.Marshal(body)
	if err != nil { // of types that have a form
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(encoded, '\n'))
}

//go:embed problems.md
var problemsPage []byte

func explainProblems(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
	_, _ = w.Write(problemsPage)
}
