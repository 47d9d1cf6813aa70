package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/seed-6c01d079/notify"
)

// status answers with how far a notification is.
func (s *service) status(w http.ResponseWriter, r *http.Request) {
	status, err := s.find(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failed(err).write(w)
		return
	}
	respond(w, http.StatusOK, "application/json", status)
}

// find asks the record, which knows at once, then the timeline, which knows for
// longer.
func (s *service) find(ctx context.Context, id string) (notify.Status, error) {
	status, err := s.notifier.Status(ctx, id)
	if errors.Is(err, notify.ErrNotFound) || errors.Is(err, notify.ErrUnsupported) {
		entry, err := s.view.Get(ctx, id)
		return entry.Status, err
	}
	return status, err
}

// cancel ends a notification before it is sent.
func (s *service) cancel(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	// Cancel itself would remember an ID that it does not know.
	if _, err := s.notifier.Status(r.Context(), id); err != nil {
		s.failed(err).write(w)
		return
	}
	answer, err := s.notifier.Cancel(r.Context(), id)
	if err != nil {
		s.failed(err).write(w)
		return
	}
	status := http.StatusOK
	if answer == notify.CancelPending { // a call is unanswered and may have its effect
		status = http.StatusAccepted
	}
	respond(w, status, "application/json", map[string]string{"id": id, "answer": string(answer)})
}

// stream serves events as they happen, for longer than other answers may take.
func (s *service) stream(timeline http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.storage.recorded {
			unsupported.write(w)
			return
		}
		// Once it is over, the server's ReadTimeout would end the request.
		if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return // the connection is gone
		}
		timeline.ServeHTTP(w, r)
	}
}

// failed is the problem that an error about a notification means.
func (s *service) failed(err error) problem {
	switch {
	case errors.Is(err, notify.ErrNotFound):
		return notFound
	case errors.Is(err, notify.ErrTooLate):
		return tooLate
	case errors.Is(err, notify.ErrUnsupported):
		return unsupported
	case errors.Is(err, notify.ErrClosed):
		return unavailable.with("The server is going down.")
	default:
		s.log.Warn("not answered", "error", err)
		return unavailable.with("The notification could not be read.")
	}
}
