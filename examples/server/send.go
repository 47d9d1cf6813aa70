package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/seed-6c01d079/notify"
)

// patience is how long a request waits for room where too much work is queued.
const patience = 5 * time.Second

// send accepts a notification. Who repeats a request under its Idempotency-Key
// gets the answer of the first.
func (s *service) send(w http.ResponseWriter, r *http.Request) {
	body, p := readBody(w, r)
	if p != nil {
		p.write(w)
		return
	}
	nt, p := decode(body)
	if p != nil {
		p.write(w)
		return
	}
	key, err := idempotencyKey(r.Header)
	if err != nil {
		invalid.with("", fieldError{Header: keyHeader, Detail: err.Error()}).write(w)
		return
	}
	if key == "" && s.storage.recorded {
		key = rand.Text() // with a key the record is there at once, on every backend
	}
	nt.Key = key
	ctx, cancel := context.WithTimeout(traced(r), patience)
	defer cancel()
	id, err := s.notifier.Send(ctx, nt)
	if err != nil {
		s.refused(err).write(w)
		return
	}
	w.Header().Set("Location", "/v1/notifications/"+id)
	respond(w, http.StatusAccepted, "application/json", map[string]string{"id": id})
}

// refused is the problem that an error of Send means.
func (s *service) refused(err error) problem {
	fields := notify.FieldErrors(err)
	switch {
	case errors.Is(err, notify.ErrKeyReused):
		return keyReused
	case len(fields) > 0:
		p := invalid
		for _, f := range fields {
			p.Errors = append(p.Errors, fieldProblem(f))
			if f.Field == "Notification" && errors.Is(f, notify.ErrTooLarge) {
				p.Type, p.Title, p.Status = tooLarge.Type, tooLarge.Title, tooLarge.Status
			}
		}
		return p
	case errors.Is(err, notify.ErrOverloaded):
		return unavailable.with("Too much is waiting to be sent.")
	case errors.Is(err, notify.ErrClosed):
		return unavailable.with("The server is going down.")
	default:
		s.log.Warn("not accepted", "error", err)
		return unavailable.with("It is open whether the notification was accepted: repeat the request with the same Idempotency-Key.")
	}
}
