// Package logs writes one structured record to a [slog.Logger] for every event.
//
//	n.Attach(logs.New(slog.Default()))
//
// # What a record has
//
// The message is the event's name: "sent" for [notify.Sent], and the type in
// full for an event of the host's own. The level is by default [Level]'s. The
// attributes, each left out where there is nothing to say, are
//
//   - of every event: notification_id, recipient_id, tenant, category, event_id,
//     happened_at, caused_by (an event's ID) and trace_id (of its W3C Trace
//     Context);
//   - of a leg or an attempt: leg, channel, attempt, provider, call, message_id;
//   - of a failure: reason, verdict, class, code;
//   - of a plan: channels, and rejected as "sms:no_address";
//   - of a state: state, and previous_state of a [notify.Corrected];
//   - of an observer: observer, failed_event_id, failed_event_type, attempts,
//     letter_id, from_position, to_position;
//   - and the rest of the event's fields, under their names in JSON. cost, to
//     (of a [notify.FailedOver]) and labels are groups.
//
// The record's own time is when it was written; happened_at may be long
// before.
//
// # What a record never has
//
// No content and no addresses, since no event has them, and not the hash of an
// address either. Of the host's own events, and of those whose type this
// program does not know, only the envelope is written, and the leg or attempt
// if they embed one. Labels are written only as far as [Config.Labels] names
// them.
//
// # When the log fails
//
// After an error of the [slog.Handler] the event comes again, as
// [notify.Observer] says, and in the end is a dead letter; other notifications'
// events are written meanwhile. So an event may be written twice, with the same
// event_id.
package logs

import (
	"context"
	"log/slog"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/internal/attach"
	"github.com/seed-6c01d079/notify/handlers/internal/event"
)

// Config is how [Logs] observes and what it writes. The observer's Name is by
// default "logs".
type Config struct {
	notify.Observer
	// Level is the level of an event's record; default [Level]. It is used by
	// many goroutines at once.
	Level func(e notify.Event[any]) slog.Level
	// Labels names the labels to write, in their order; default none.
	Labels []string
}

// Logs is an observer that writes events to a log.
type Logs struct {
	config  Config
	handler slog.Handler
}

var _ notify.Attacher = (*Logs)(nil)

// New returns a log of events for [notify.Notifier.Attach]; a nil logger is
// [slog.Default]. Options change its [Config]. Two of one Notifier need two
// names.
func New(logger *slog.Logger, options ...func(*Config)) *Logs {
	if logger == nil {
		logger = slog.Default()
	}
	l := &Logs{handler: logger.Handler()}
	l.config.Name = "logs"
	l.config.Level = Level
	for _, option := range options {
		option(&l.config)
	}
	return l
}

// Attach implements [notify.Attacher].
func (l *Logs) Attach(n *notify.Notifier) error {
	var found attach.Problems
	found.When(l.config.Level == nil, "logs.Config.Level", "must not be nil; the default is logs.Level")
	o := attach.Observer(l.config.Observer, notify.Observer{
		Name: "logs", Handlers: []notify.Handler{notify.Handle(l.write)},
	})
	if err := found.Err(); err != nil {
		return err
	}
	n.Observe(o)
	return nil
}

func (l *Logs) write(ctx context.Context, e notify.Event[any]) error {
	level := l.config.Level(e)
	if !l.handler.Enabled(ctx, level) {
		return nil
	}
	r := slog.NewRecord(time.Now(), level, event.Name(e.Type), 0)
	r.AddAttrs(l.attributes(&e)...)
	return l.handler.Handle(ctx, r)
}
