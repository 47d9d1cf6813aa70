package main

import (
	"context"
	"log/slog"
	"os"
)

// logger tells of trouble only if somebody wants to know. What a backend says
// about deleting old messages, which no wrapper sees, is a point: before its
// transaction has ended, and after.
func logger(p *points) *slog.Logger {
	var next slog.Handler = slog.DiscardHandler
	if os.Getenv("NOTIFY_CRASH_LOG") != "" {
		next = slog.NewTextHandler(os.Stderr, nil)
	}
	return slog.New(watching{next, p})
}

type watching struct {
	slog.Handler
	points *points
}

// Enabled implements [slog.Handler].
func (w watching) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (w watching) Handle(ctx context.Context, r slog.Record) error {
	switch r.Message {
	case "notify: old messages are being deleted":
		w.points.pass("compact", false)
	case "notify: old messages were deleted":
		w.points.pass("compact", true)
	}
	if !w.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return w.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (w watching) WithAttrs(attrs []slog.Attr) slog.Handler {
	return watching{w.Handler.WithAttrs(attrs), w.points}
}

// WithGroup implements [slog.Handler].
func (w watching) WithGroup(name string) slog.Handler {
	return watching{w.Handler.WithGroup(name), w.points}
}
