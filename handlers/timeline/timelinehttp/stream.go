package timelinehttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
)

// patience is how long a client may take to read what is written.
const patience = 10 * time.Second

func (h *handler) stream(w http.ResponseWriter, r *http.Request) {
	tenant, ok := h.tenant(w, r)
	if !ok {
		return
	}
	id, last := r.PathValue("id"), r.Header.Get("Last-Event-ID")
	if last != "" && !strings.HasPrefix(last, id+"/") {
		h.fail(w, r, &notify.FieldError{Field: "Last-Event-ID", Problem: "is not the ID of an event of this notification"})
		return
	}
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		write(w, problem{Title: "Too many streams are open", Status: http.StatusServiceUnavailable})
		return
	}
	status, err := h.notifier.Status(r.Context(), id)
	if err == nil && !h.shows(status.Tenant, tenant) {
		err = notify.ErrNotFound
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	s := &stream{w: w, control: http.NewResponseController(w)}
	if r.Method == http.MethodHead {
		s.begin()
		return
	}
	if !status.Settled { // something comes, however late: the client is to know that it is connected
		if err := s.send(""); err != nil {
			return
		}
	}
	err = h.follow(r.Context(), s, id, last)
	switch {
	case err == nil && !s.begun:
		w.WriteHeader(http.StatusNoContent) // the client need not come again
	case err != nil && !s.begun && r.Context().Err() == nil:
		h.fail(w, r, err)
	}
}

// follow writes the notification's events after the last, until it has settled.
func (h *handler) follow(ctx context.Context, s *stream, id, last string) error {
	ctx, cancel := context.WithCancel(ctx)
	type next struct {
		event notify.Event[any]
		err   error
	}
	events := make(chan next)
	go func() {
		defer close(events)
		for e, err := range h.notifier.Watch(ctx, id) {
			select {
			case events <- next{e, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		for range events { // until it has ended
		}
	}()
	beat := time.NewTicker(h.config.Heartbeat)
	defer beat.Stop()
	var skipped []notify.Event[any] // until the last is found
	for {
		select {
		case n, open := <-events:
			switch {
			case !open:
				return h.write(s, skipped) // the last is gone: all come again
			case n.err != nil:
				return n.err
			case last != "":
				skipped = append(skipped, n.event)
				if n.event.ID == last {
					last, skipped = "", nil
				}
			default:
				if err := h.write(s, []notify.Event[any]{n.event}); err != nil {
					return err
				}
			}
		case <-beat.C:
			if err := h.write(s, skipped); err != nil {
				return err
			}
			if skipped != nil {
				last, skipped = "", nil
			}
			if err := s.send(": still here\n\n"); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *handler) write(s *stream, events []notify.Event[any]) error {
	for _, e := range events {
		one, err := h.event(e)
		if err != nil {
			return err
		}
		data, err := json.Marshal(one)
		if err != nil {
			return err
		}
		if strings.ContainsAny(e.ID+e.Type, "\r\n\x00") {
			return errors.New("timelinehttp: an event's ID has no form in a stream")
		}
		if err := s.send(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", e.ID, e.Type, data)); err != nil {
			return err
		}
	}
	return nil
}

// stream is an open answer.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (s *stream) begin() {
	s.begun = true
	header := s.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // a proxy's
	s.w.WriteHeader(http.StatusOK)
}

// send writes text at once.
func (s *stream) send(text string) error {
	if !s.begun {
		s.begin()
	}
	// A server that knows no deadlines, such as a test's, has none.
	if err := s.control.SetWriteDeadline(time.Now().Add(patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
