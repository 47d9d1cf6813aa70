package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/providers/console"
	"github.com/seed-6c01d079/notify/providers/smtp"
)

// service is a Notifier and what is served of it.
type service struct {
	notifier *notify.Notifier
	storage  storage
	view     timeline.Store
	metrics  *metrics
	gate     gate
	drain    time.Duration
	log      *slog.Logger
}

// open makes a service that does not run yet.
func open(o options, out io.Writer, log *slog.Logger) (*service, error) {
	storage, err := openStorage(o, log)
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics()
	if err != nil {
		return nil, err
	}
	n, err := notify.New(notify.Config{
		Backend: storage.backend, Records: storage.records, AddressKey: storage.addressKey,
		Route: notify.First(notify.EmailChannel), Logger: log, DrainTimeout: o.drain,
	})
	if err != nil {
		return nil, errors.Join(err, storage.backend.Close(), storage.close())
	}
	if o.smtp == "" {
		notify.Use(n, console.New[notify.Email]("console", out))
	} else {
		notify.Use(n, smtp.New(smtp.Config{
			Addr: o.smtp, From: o.from, Username: o.user, Password: os.Getenv("SMTP_PASSWORD"),
		}))
	}
	view := storage.view(n)
	n.Attach(timeline.New(view), metrics.telemetry)
	return &service{notifier: n, storage: storage, view: view, metrics: metrics, drain: o.drain, log: log}, nil
}

// serve runs the Notifier and answers requests, until ctx ends; then it drains.
func (s *service) serve(ctx context.Context, listener net.Listener) error {
	ran := make(chan error, 1)
	go func() { ran <- s.notifier.Run(context.Background()) }()
	if err := s.notifier.Ready(ctx); err != nil {
		_ = listener.Close()
		return errors.Join(err, s.close(ctx))
	}
	server := newServer(s.handler(), s.log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	s.log.Info("listening", "addr", listener.Addr().String())
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-ran:
		failure = fmt.Errorf("the notifier has ended: %w", failure)
	case failure = <-served:
	}
	return errors.Join(failure, s.stop(server))
}

// newServer bounds what a client may take. Streams extend their deadlines
// themselves.
func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// stop lets what is under way finish. Meanwhile the server still answers, with
// 503, so that a load balancer has time to notice.
func (s *service) stop(server *http.Server) error {
	s.log.Info("draining", "at most", s.drain)
	drain, cancel := context.WithTimeout(context.Background(), s.drain)
	defer cancel()
	answers, done := context.WithTimeout(drain, s.drain/2)
	defer done()
	s.gate.close(answers)
	err := s.close(drain) // streams end with the Notifier
	last, end := context.WithTimeout(context.Background(), 2*time.Second)
	defer end()
	if server.Shutdown(last) != nil {
		_ = server.Close() // a client that does not read its answer
	}
	return err
}

// close ends the Notifier and what it stores in, as soon as ctx allows.
func (s *service) close(ctx context.Context) error {
	return errors.Join(s.notifier.Close(ctx), s.storage.close(), s.metrics.close())
}
