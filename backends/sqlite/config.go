package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config bounds what a [Backend] keeps. A field that is zero has its default;
// a negative one is refused by the first call that needs the file.
type Config struct {
	// RetainFor and RetainMessages are how long, and how many to a topic, a
	// message is kept that every group has finished, for groups to come; it
	// goes when either says so. What a group has not finished stays, unless the
	// group is abandoned. Default 24 hours and 100,000.
	RetainFor      time.Duration
	RetainMessages int
	// SweepEvery is how often the backend looks for what it need not keep:
	// messages, groups without members, what is too old for the timeline. Default
	// 1 minute.
	SweepEvery time.Duration
	// AbandonAfter is how long a group may have no member before it holds
	// nothing back any more. When it comes back, it begins with the oldest
	// message that is kept, and Consumption.Skipped is told. Time before this
	// Backend was opened counts too, but none is abandoned in its first ten
	// minutes. Default 7 days.
	AbandonAfter time.Duration
	// Abandoned, if set, is told of a group that holds nothing back any more,
	// and of how many messages it had not finished. It must not block.
	Abandoned func(topic, group string, unfinished int64)
	// MaxWork is how many messages of a topic may wait or be under way, in the
	// group that is furthest behind, before Admit holds callers back. Default
	// 65,536.
	MaxWork int
	// MaxParkedPerKey is how many messages of one key may queue, in a group,
	// while the key waits for a message that failed or is slow. Behind one that
	// failed, more go to Consumption.Overflow; otherwise the group reads no
	// further. Default 1,000.
	MaxParkedPerKey int
	// MaxParked is how many messages of all keys may queue so in a group,
	// before it reads no further. Default 10,000.
	MaxParked int
	// MaxDelayed is how many messages may wait for their time; PublishAt and
	// Commit refuse more with backend.ErrOverloaded. Default 1,048,576.
	MaxDelayed int
	// MaxRecords is how many records are kept. Beyond it those go first that
	// have expired, then those without a due time (of settled notifications),
	// the soonest to expire first; if there is none, new ones are refused with
	// backend.ErrOverloaded. Default 1,048,576.
	MaxRecords int
	// MaxDeadLetters is how many dead letters are kept; beyond it the oldest
	// is dropped. Default 100,000.
	MaxDeadLetters int
	// TimelineFor and MaxTimeline are how long, and how many notifications, the
	// timeline keeps; the oldest go first. A notification that has
	// MaxTimelineEvents takes no more that are not of its lifecycle, which are
	// engagement and the host's own. Default 90 days, 1,048,576, and 256.
	TimelineFor       time.Duration
	MaxTimeline       int
	MaxTimelineEvents int
	// CostsFor and MaxCosts are how long, and how many, entries of what was spent
	// are kept; the oldest go first, and their sums stay. Default 90 days and
	// 1,048,576.
	CostsFor time.Duration
	MaxCosts int
	// CostSumsFor is how long the sums of a month are kept; those of a day are as
	// long as entries. MaxCostSums is how many, of which there is one for each
	// tenant, channel, category, provider, country and currency in a period, and
	// one more over all tenants. Beyond it new ones are refused with
	// notify.ErrOverloaded, and what is older than the latest day and month goes.
	// Default 800 days and 16,777,216.
	CostSumsFor time.Duration
	MaxCostSums int
	// MaxWebhookEndpoints, MaxWebhookMessages and MaxWebhookBytes are how many
	// endpoints and messages the store of webhooks keeps, and how much of these;
	// MaxWebhookPending is how many messages may wait for one endpoint, and
	// MaxWebhookAttempts how many attempts of one are kept. What goes then is said
	// at [Backend.Webhooks]. Default 10,000, 100,000, 256 MiB, 10,000, and 100.
	MaxWebhookEndpoints int
	MaxWebhookMessages  int
	MaxWebhookBytes     int
	MaxWebhookPending   int
	MaxWebhookAttempts  int
	// MaxSuppressions is how many keys the store of suppressions keeps, before it
	// refuses new ones: see [Backend.Suppression]. Default 1,048,576.
	MaxSuppressions int
	// Logger is told of abandoned groups and of what fails in the background, and
	// at the level of debugging of messages that are deleted. It never gets
	// content. Default slog.Default().
	Logger *slog.Logger

	// Tests have their own.

	vfs        string             // SQLite's default if empty
	syncDir    func(string) error // default syncDir
	checkpoint int                // pages in the log; default 4,000, which are 16 MiB
}

func newConfig(opts []func(*Config)) (Config, error) {
	var c Config
	for _, opt := range opts {
		opt(&c)
	}
	var problems []error
	number := func(name string, n *int, otherwise int) {
		if *n < 0 {
			problems = append(problems, fmt.Errorf("the Config has %s %d: it must not be negative", name, *n))
		}
		if *n == 0 {
			*n = otherwise
		}
	}
	span := func(name string, d *time.Duration, otherwise time.Duration) {
		if *d < 0 {
			problems = append(problems, fmt.Errorf("the Config has %s %v: it must not be negative", name, *d))
		}
		if *d == 0 {
			*d = otherwise
		}
	}
	const day = 24 * time.Hour
	span("RetainFor", &c.RetainFor, day)
	number("RetainMessages", &c.RetainMessages, 100_000)
	span("SweepEvery", &c.SweepEvery, time.Minute)
	span("AbandonAfter", &c.AbandonAfter, 7*day)
	number("MaxWork", &c.MaxWork, 1<<16)
	number("MaxParkedPerKey", &c.MaxParkedPerKey, 1000)
	number("MaxParked", &c.MaxParked, 10_000)
	number("MaxDelayed", &c.MaxDelayed, 1<<20)
	number("MaxRecords", &c.MaxRecords, 1<<20)
	number("MaxDeadLetters", &c.MaxDeadLetters, 100_000)
	span("TimelineFor", &c.TimelineFor, 90*day)
	number("MaxTimeline", &c.MaxTimeline, 1<<20)
	number("MaxTimelineEvents", &c.MaxTimelineEvents, 256)
	span("CostsFor", &c.CostsFor, 90*day)
	number("MaxCosts", &c.MaxCosts, 1<<20)
	span("CostSumsFor", &c.CostSumsFor, 800*day)
	number("MaxCostSums", &c.MaxCostSums, 1<<24)
	number("MaxWebhookEndpoints", &c.MaxWebhookEndpoints, 10_000)
	number("MaxWebhookMessages", &c.MaxWebhookMessages, 100_000)
	number("MaxWebhookBytes", &c.MaxWebhookBytes, 256<<20)
	number("MaxWebhookPending", &c.MaxWebhookPending, 10_000)
	number("MaxWebhookAttempts", &c.MaxWebhookAttempts, 100)
	number("MaxSuppressions", &c.MaxSuppressions, 1<<20)
	number("checkpoint", &c.checkpoint, 4000)
	if c.syncDir == nil {
		c.syncDir = syncDir
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, errors.Join(problems...)
}
