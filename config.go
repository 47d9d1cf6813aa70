package notify

import (
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// Backend carries messages: see package backend for what it may do beyond
// that.
type Backend = backend.Backend

// Records keeps the records of a Notifier: see package backend.
type Records = backend.Records

// Config is what a [Notifier] is made of. The zero value works: everything is
// kept in memory.
type Config struct {
	// Backend carries work and events; default a new memory.New(). The Notifier
	// closes it, unless KeepBackend is set: several Notifiers may share one if
	// all of them set it. Without it a Notifier assumes that it is the
	// backend's only user.
	Backend     Backend
	KeepBackend bool
	// Records keeps the records if the backend does not; [NoRecords] does
	// without records.
	Records Records
	// Directory knows the recipients; default none: every notification brings
	// its addresses.
	Directory Directory
	// Templates holds the files <name>/<channel>.<part>.tmpl and
	// <name>/<locale>/<channel>.<part>.tmpl at its root: of files that were
	// embedded with the directory they are in, pass what [fs.Sub] makes. The parts are subject, text and
	// html for email; text for sms; title, body and url for push; title, text
	// and url for chat; what a form leaves out comes from Content. A locale
	// falls back: de-AT, de, none. The html part is an html/template, the
	// others are text/templates, executed on a [RenderRequest]:
	// {{.Recipient.Name}}, {{.Data.order}}; a variable that is missing or null
	// is an error. A file whose name begins with '_' is shared by those beside
	// and below it: {{template "_footer.tmpl" .}}. (A plain go:embed leaves
	// such files out: write go:embed all:templates.) Default none.
	Templates fs.FS
	// Route is that of a notification that has none; default none: every
	// notification brings its own.
	Route Route
	// Roles is the part of the pipeline that runs in this process; default
	// all.
	Roles *Roles
	// Budgets bound the time that things may take.
	Budgets Budgets
	// Middleware is Watermill's own, and runs around every observer: see
	// [Observer.Middleware].
	Middleware []message.HandlerMiddleware
	// AddressKey is the key of the hashes that events carry instead of
	// addresses, at least 16 bytes; the same in every process and for ever.
	// Default: the backend's own, if it keeps one; otherwise it is required.
	AddressKey []byte
	// Source names this program in its events, as a URI reference
	// (CloudEvents 1.0, "source"); default "notify".
	Source string
	// MaxBytes bounds one notification, encoded as JSON; default 256 KiB.
	MaxBytes int
	// Logger gets what no caller and no event tells; default slog.Default(). It
	// never gets content or addresses, unless an error of the host's holds
	// them.
	Logger *slog.Logger
	// DrainTimeout bounds how long Close, or the end of Run's context, waits
	// for what is under way; default 30 s.
	DrainTimeout time.Duration
}

// Budgets bound the time that things may take.
type Budgets struct {
	// Message is how long after it may first be sent a notification without
	// ExpiresAt expires; default 24 h.
	Message time.Duration
	// Channel is how long after its start a leg begins new attempts; default
	// 6 h. Time for which a guard delays the leg does not count, neither here
	// nor for a provider. See [ProviderConfig] for the budgets of a provider
	// and an attempt.
	Channel time.Duration
	// Retention is how long a record is kept after its notification settled:
	// for Status, for later reports, and as long as an idempotency key is
	// remembered. Default 7 days.
	Retention time.Duration
}

func (c *Config) complete() problems {
	var found problems
	found.durations("Config.", []durationOption{
		{"Budgets.Message", &c.Budgets.Message, 24 * time.Hour, 366 * 24 * time.Hour},
		{"Budgets.Channel", &c.Budgets.Channel, 6 * time.Hour, 366 * 24 * time.Hour},
		{"Budgets.Retention", &c.Budgets.Retention, 7 * 24 * time.Hour, 3660 * 24 * time.Hour},
		{"DrainTimeout", &c.DrainTimeout, 30 * time.Second, time.Hour},
	})
	c.Source = orDefault(c.Source, "notify")
	if problem := sourceProblem(c.Source); problem != "" {
		found.add("Config.Source", "%s", problem)
	}
	if len(c.AddressKey) > 0 && len(c.AddressKey) < 16 {
		found.add("Config.AddressKey", "must have at least 16 bytes")
	}
	if c.MaxBytes < 0 || c.MaxBytes > maxPayloadBytes {
		found.add("Config.MaxBytes", "must be from 0 (the default, 262144) to %d", maxPayloadBytes)
	}
	c.MaxBytes = orDefault(c.MaxBytes, defaultMaxBytes)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Roles == nil {
		c.Roles = allRoles()
	}
	found.channels("Config.Roles.Channels", c.Roles.Channels)
	found.channels("Config.Roles.Elsewhere", c.Roles.Elsewhere)
	for i, m := range c.Middleware {
		if m == nil {
			found.add(fmt.Sprintf("Config.Middleware[%d]", i), "is nil")
		}
	}
	return found
}

// durationOption is a duration that a host may set; zero is the default.
type durationOption struct {
	name           string
	value          *time.Duration
	standard, most time.Duration
}

// durations checks options, and gives those that are zero their default.
func (p *problems) durations(prefix string, options []durationOption) {
	for _, o := range options {
		if *o.value < 0 || *o.value > o.most {
			p.add(prefix+o.name, "must be from 0 (the default, %s) to %s", o.standard, o.most)
		}
		*o.value = orDefault(*o.value, o.standard)
	}
}

func (p *problems) channels(field string, channels []Channel) {
	for i, channel := range channels {
		if !validChannelName(channel) {
			p.add(fmt.Sprintf("%s[%d]", field, i), "must be 1 to 32 characters of a-z, 0-9, '-' and '_'")
		}
	}
}
