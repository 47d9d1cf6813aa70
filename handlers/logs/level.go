package logs

import (
	"log/slog"

	"github.com/seed-6c01d079/notify"
)

// Level returns the default level of an event's record.
//
// Warn is for what goes wrong and is still being dealt with, or needs a look:
// Retrying, FailedOver, Failed, Unknown, Undelivered, Bounced, Expired,
// Corrected, Complained, AddressInvalid, Stuck, ObserverFailed. Error is for
// what is lost or down: Undeliverable, DeadLettered, ObserverSkipped,
// ProviderDown. Everything else is Info, and so are the host's own events.
func Level(e notify.Event[any]) slog.Level {
	switch e.Data.(type) {
	case notify.Retrying, notify.FailedOver, notify.Failed, notify.Unknown, notify.Undelivered, notify.Bounced,
		notify.Expired, notify.Corrected, notify.Complained, notify.AddressInvalid, notify.Stuck, notify.ObserverFailed:
		return slog.LevelWarn
	case notify.Undeliverable, notify.DeadLettered, notify.ObserverSkipped, notify.ProviderDown:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}
