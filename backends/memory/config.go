package memory

import "github.com/seed-6c01d079/notify/internal/fanout"

// Config bounds what a [Backend] keeps. A field that is not positive has its
// default.
type Config struct {
	// Retention is how many messages a topic keeps for groups that have not
	// read them, or for groups to come while it has none. Somewhat more may
	// be kept, since messages are dropped by the segment (at most 256).
	// Default 131,072.
	Retention int
	// MaxWork is how many messages of a topic may wait or be under way, in
	// the group that is furthest behind, before Admit holds callers back. It
	// is never more than Retention. Default 65,536.
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
	// Commit refuse more with backend.ErrOverloaded; a Notifier then has its
	// records bring them in time. Default 1,048,576.
	MaxDelayed int
	// MaxRecords is how many records are kept. Beyond it those go first that
	// have expired, then those that wait for nothing (of settled
	// notifications), about the oldest first; if all that are kept wait for
	// something, new ones are refused with backend.ErrOverloaded. A record of a
	// settled notification takes about 4 kB. Default 131,072.
	MaxRecords int
	// MaxDeadLetters is how many dead letters are kept; beyond it the oldest
	// is dropped. Default 10,000.
	MaxDeadLetters int
}

func newConfig(opts []func(*Config)) Config {
	var c Config
	for _, opt := range opts {
		opt(&c)
	}
	c.Retention = positive(c.Retention, 1<<17)
	c.MaxWork = min(positive(c.MaxWork, 1<<16), c.Retention)
	c.MaxParkedPerKey = positive(c.MaxParkedPerKey, fanout.DefaultParkedPerKey)
	c.MaxParked = positive(c.MaxParked, fanout.DefaultParked)
	c.MaxDelayed = positive(c.MaxDelayed, 1<<20)
	c.MaxRecords = positive(c.MaxRecords, 1<<17)
	c.MaxDeadLetters = positive(c.MaxDeadLetters, 10_000)
	return c
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}
