package postgres

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config is how a [Store] or a [Backend] works. The zero value works: what is
// zero has its default. What is wrong with it is reported, all at once, by the
// first call that needs the database.
type Config struct {
	// Pool is the host's own, used in place of one made from the DSN, which is
	// empty then; Close leaves it open. It must reach the server itself, or
	// through a pooler that keeps a session's server connection: see the
	// README. Default: a pool of the DSN, with its pool_max_conns connections,
	// 8 if it names none.
	Pool *pgxpool.Pool
	// Schema holds the tables; it is created where it is missing. Several
	// schemas of one database are several stores. Default "notify".
	Schema string
	// ConnectTimeout is how long the first call retries a server that does not
	// answer, or is starting. Default 30 s.
	ConnectTimeout time.Duration
	// MaxRecords is about how many records are kept: processes count them now
	// and then. Beyond it those go first that have expired, then those without a
	// due time (of settled notifications), the soonest to expire first; if there is
	// none, new ones are refused with backend.ErrOverloaded. Default 10,000,000.
	MaxRecords int
	// MaxDeadLetters is how many dead letters are kept; beyond it the oldest
	// is dropped. Default 10,000.
	MaxDeadLetters int
	// TimelineFor is how long the timeline keeps a notification, from when it was
	// accepted. Default 90 days.
	TimelineFor time.Duration
	// MaxTimeline is about how many notifications the timeline keeps; beyond it the
	// oldest go, within minutes. Default 10,000,000.
	MaxTimeline int
	// MaxTimelineEvents is how many events of one notification the timeline
	// keeps before it leaves out those that are not of its lifecycle. Default
	// 256.
	MaxTimelineEvents int
	// CostsFor and MaxCosts are how long, and about how many, entries of what was
	// spent are kept; the oldest go first, and their sums stay. Default 90 days and
	// 10,000,000.
	CostsFor time.Duration
	MaxCosts int
	// CostSumsFor is how long the sums of a month are kept; those of a day are as
	// long as entries. MaxCostSums is about how many rows of sums are kept, of which
	// there are up to 8 for each tenant, channel, category, provider, country and
	// currency in a period, and up to 32 over all tenants. Beyond it new ones are
	// refused with notify.ErrOverloaded, and what is older than the latest day and
	// month goes. Default 800 days and 10,000,000.
	CostSumsFor time.Duration
	MaxCostSums int
	// MaxSuppressions is about how many entries the suppression list keeps; beyond it
	// new keys are refused. Default 10,000,000.
	MaxSuppressions int
	// MaxWebhookEndpoints is about how many endpoints there may be; beyond it Put
	// refuses new ones. Default 10,000.
	MaxWebhookEndpoints int
	// MaxWebhookMessages is about how many messages are kept for webhooks, and
	// MaxWebhookBytes how much of them; beyond it the oldest go, with what still
	// waits for them. Default 1,000,000 and 1 GiB.
	MaxWebhookMessages int
	MaxWebhookBytes    int
	// MaxWebhookPending is how many messages may wait for one endpoint; beyond it
	// the oldest that is not being sent waits no longer. Default 10,000.
	MaxWebhookPending int
	// MaxWebhookAttempts is how many attempts are kept of one endpoint; beyond it
	// the oldest go. Default 100.
	MaxWebhookAttempts int
	// MaxOutbox is about how many messages the outbox holds that are not forwarded
	// yet; beyond it what sends in a transaction gets backend.ErrOverloaded. Default
	// 1,048,576.
	MaxOutbox int
	// Logger is told what fails in the background, and is tried again, and at the
	// level of debugging of messages that are deleted. It gets no content. Default slog.Default().
	Logger *slog.Logger

	// The following are a Backend's.

	// Partitions is into how many parts a topic's keys are divided, from 1 to
	// 1,024: as many processes at most share a group's work. It is set when the
	// schema is created, and cannot change: another number is refused. Default:
	// the schema's, or 16.
	Partitions int
	// Lease is how long a process may be silent before others take over the
	// partitions it holds, at least 100 ms. Default 15 s.
	Lease time.Duration
	// Poll is how often it is looked for messages that no notification of the
	// server's announced. Default 1 s.
	Poll time.Duration
	// Retention is how long messages are kept, whoever has read them; and
	// longer, until every group has, as long as it is alive. Default 72 h.
	Retention time.Duration
	// GroupTimeout is how long a group without any member is alive. What is
	// beyond the Retention is not kept for it after that; when it is back, it
	// is told by Consumption.Skipped. Default 14 days.
	GroupTimeout time.Duration
	// MaxWork is how many messages of a topic may wait or be under way, in
	// the group that is furthest behind, before Admit holds callers back.
	// Default 65,536.
	MaxWork int
	// MaxDelayed is about how many messages may wait for their time: processes
	// count them now and then. PublishAt and Commit refuse more with
	// backend.ErrOverloaded. Default 1,048,576.
	MaxDelayed int
	// MaxParkedPerKey is how many messages of one key may queue, in a group,
	// behind one that failed or is slow. Behind one that failed, more go to
	// Consumption.Overflow; otherwise the group reads no further in that
	// partition. Default 1,000.
	MaxParkedPerKey int
	// MaxParked is how many messages of all keys may queue so in a partition.
	// Default 2,000.
	MaxParked int

	// What a test turns off: the rule that only what is below every open
	// transaction is read; the lease in the statement that moves positions; looking
	// after the leases that are held; and an endpoint's limit in the statement that
	// claims.
	seesAll         bool
	writePosition   string
	deaf            bool
	claimDeliveries string

	// And what it shortens: how long the server lets a transaction of ours be
	// idle, and how long the server may be silent.
	idle, silence time.Duration
}

// newConfig returns the config with its defaults, and what is wrong with it.
func newConfig(dsn string, opts []func(*Config)) (Config, error) {
	var c Config
	for _, opt := range opts {
		opt(&c)
	}
	var found []error
	wrong := func(format string, args ...any) { found = append(found, fmt.Errorf("postgres: "+format, args...)) }
	switch {
	case dsn == "" && c.Pool == nil:
		wrong(`the DSN is empty: give one, such as "postgres://user@host/database", or Config.Pool`)
	case dsn != "" && c.Pool != nil:
		wrong("a DSN and Config.Pool are given: leave one of them out")
	}
	if c.Schema == "" {
		c.Schema = "notify"
	}
	if c.writePosition == "" {
		c.writePosition = writePosition
	}
	if c.claimDeliveries == "" {
		c.claimDeliveries = claimDeliveries
	}
	if len(c.Schema) > 63 || strings.ContainsRune(c.Schema, 0) || !utf8.ValidString(c.Schema) || strings.HasPrefix(c.Schema, "pg_") {
		wrong(`Config.Schema: must have at most 63 bytes, and not begin with "pg_"`)
	}
	if c.Partitions < 0 || c.Partitions > maxPartitions {
		wrong("Config.Partitions: must be from 0 (the default) to %d", maxPartitions)
	}
	if c.Lease != 0 && c.Lease < 100*time.Millisecond {
		wrong("Config.Lease: must be 0 (the default, 15s) or at least 100ms")
	}
	for _, d := range []struct {
		name     string
		value    *time.Duration
		standard time.Duration
	}{
		{"ConnectTimeout", &c.ConnectTimeout, 30 * time.Second},
		{"Lease", &c.Lease, 15 * time.Second},
		{"Poll", &c.Poll, time.Second},
		{"TimelineFor", &c.TimelineFor, 90 * 24 * time.Hour},
		{"CostsFor", &c.CostsFor, 90 * 24 * time.Hour},
		{"CostSumsFor", &c.CostSumsFor, 800 * 24 * time.Hour},
		{"Retention", &c.Retention, 72 * time.Hour},
		{"GroupTimeout", &c.GroupTimeout, 14 * 24 * time.Hour},
		{"idle", &c.idle, 10 * time.Second},
		{"silence", &c.silence, 30 * time.Second},
	} {
		if *d.value < 0 {
			wrong("Config.%s: must not be negative", d.name)
		}
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	for _, n := range []struct {
		name     string
		value    *int
		standard int
	}{
		{"MaxRecords", &c.MaxRecords, 10_000_000},
		{"MaxDeadLetters", &c.MaxDeadLetters, 10_000},
		{"MaxTimeline", &c.MaxTimeline, 10_000_000},
		{"MaxCosts", &c.MaxCosts, 10_000_000},
		{"MaxCostSums", &c.MaxCostSums, 10_000_000},
		{"MaxSuppressions", &c.MaxSuppressions, 10_000_000},
		{"MaxWebhookEndpoints", &c.MaxWebhookEndpoints, 10_000},
		{"MaxWebhookMessages", &c.MaxWebhookMessages, 1_000_000},
		{"MaxWebhookBytes", &c.MaxWebhookBytes, 1 << 30},
		{"MaxWebhookPending", &c.MaxWebhookPending, 10_000},
		{"MaxWebhookAttempts", &c.MaxWebhookAttempts, 100},
		{"MaxOutbox", &c.MaxOutbox, 1 << 20},
		{"MaxTimelineEvents", &c.MaxTimelineEvents, 256},
		{"MaxWork", &c.MaxWork, 1 << 16},
		{"MaxDelayed", &c.MaxDelayed, 1 << 20},
		{"MaxParkedPerKey", &c.MaxParkedPerKey, 1000},
		{"MaxParked", &c.MaxParked, 2000},
	} {
		if *n.value < 0 {
			wrong("Config.%s: must not be negative", n.name)
		}
		if *n.value == 0 {
			*n.value = n.standard
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, errors.Join(found...)
}

// sql puts the schema in the place of every "{s}".
func (c *Config) sql(text string) string {
	return strings.ReplaceAll(text, "{s}", pgx.Identifier{c.Schema}.Sanitize())
}
