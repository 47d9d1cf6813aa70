package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Config says how to reach the cluster, and what topics the [Backend] makes. A
// number or duration that is zero has its default; a negative one is an error.
type Config struct {
	// Prefix begins the name of every topic and consumer group, so that several
	// hosts may share a cluster: "shop." makes shop.notify.events of a Notifier's
	// notify.events. Default none.
	Prefix string

	// Partitions is how many partitions a new topic gets: at most as many
	// members of a group can share it. If it is set, a topic that exists must
	// have as many. Default 12 for new topics, and any number for others.
	Partitions int
	// Replication is how many brokers keep a copy of each message. A topic that
	// exists must have at least as many. A cluster of one broker needs 1 here,
	// and loses with its disk what it has. Default 3.
	Replication int
	// MinInSync is how many copies must be written before publishing succeeds
	// (min.insync.replicas). A topic that exists must have at least as many.
	// Default Replication-1, and 1 for a Replication of 1.
	MinInSync int
	// Retention is how long a topic keeps its messages, whether they are read or
	// not (retention.ms). A topic that exists must keep them at least as long.
	// Default 7 days.
	Retention time.Duration
	// MaxBytes is how large a message may be, with its key and metadata. The
	// cluster must take that much (message.max.bytes). Default 1,000,000.
	MaxBytes int

	// TLS, if set, has connections encrypted.
	TLS *tls.Config
	// SASL says who we are. Its zero value does not authenticate.
	SASL SASL
	// ClientID is what the brokers call us in their logs and quotas. Default
	// "notify".
	ClientID string

	// StartTimeout is how long the first call waits for a broker that does not
	// answer. Default 30 s.
	StartTimeout time.Duration
	// PublishTimeout is how long Publish tries, at least 1 s. It is open then
	// whether the messages were written. Default 30 s.
	PublishTimeout time.Duration
	// CommitInterval is how often a position is written; after a crash, what
	// was finished since comes again. Default 1 s.
	CommitInterval time.Duration
	// Session is how long a member of a group may be silent until others get
	// its partitions (session.timeout.ms). Default 45 s.
	Session time.Duration
	// Heartbeat is how often a member makes itself heard, and so how soon it
	// learns that partitions move. Default a fifteenth of Session.
	Heartbeat time.Duration
	// Drain is how long a member that has to give up a partition waits for the
	// handlers that are at its messages; after that others may get what those
	// have not finished. Default 50 s.
	Drain time.Duration

	// MaxAhead is how many messages of a partition may be read ahead and not
	// finished, in a group in this process, before it is read no further; up to
	// twice as many are held, since what is read at once comes on top.
	// Default 1,000.
	MaxAhead int
	// MaxParkedPerKey is how many messages of one key may queue behind one that
	// failed or is slow; more go to Consumption.Overflow. Default 1,000.
	MaxParkedPerKey int
	// MaxParked is how many messages of all keys may queue so in a partition,
	// before it is read no further. Default 10,000.
	MaxParked int
	// MaxDelayed is how many messages with less than 10 s to wait this process
	// holds in memory. If there are more, some are late. Default 100,000.
	MaxDelayed int

	// Logger gets what no caller learns: trouble with delayed messages, lost
	// partitions, and warnings of the Kafka client. Default [slog.Default].
	Logger *slog.Logger
}

func newConfig(opts []func(*Config)) Config {
	var c Config
	for _, opt := range opts {
		opt(&c)
	}
	standard(&c.ClientID, "notify")
	standard(&c.Replication, 3)
	standard(&c.MinInSync, max(1, c.Replication-1))
	standard(&c.Retention, 7*24*time.Hour)
	standard(&c.MaxBytes, 1_000_000)
	standard(&c.StartTimeout, 30*time.Second)
	standard(&c.PublishTimeout, 30*time.Second)
	standard(&c.CommitInterval, time.Second)
	standard(&c.Session, 45*time.Second)
	standard(&c.Heartbeat, c.Session/15)
	standard(&c.Drain, 50*time.Second)
	standard(&c.MaxAhead, 1000)
	standard(&c.MaxParkedPerKey, 1000)
	standard(&c.MaxParked, 10_000)
	standard(&c.MaxDelayed, 100_000)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func standard[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// newPartitions is how many partitions a new topic gets.
func (c *Config) newPartitions() int {
	if c.Partitions > 0 {
		return c.Partitions
	}
	return 12
}

// Of a topic or group name. Kafka allows 249 characters; ours need some.
var legalName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,200}$`)

// check reports every problem.
func (c *Config) check(brokers []string) error {
	var problems []error
	complain := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(brokers) == 0 {
		complain("no broker is named: give New at least one host:port")
	}
	for i, broker := range brokers {
		if strings.Contains(broker, "@") { // and perhaps a password before it
			complain("broker %d of %d is not host:port: credentials belong into Config.SASL", i+1, len(brokers))
		} else if host, port, err := net.SplitHostPort(broker); err != nil || host == "" || port == "" {
			complain("the broker %q is not host:port", broker)
		}
	}
	if c.Prefix != "" && !legalName.MatchString(c.Prefix) {
		complain("Config.Prefix %q: use letters, digits, '.', '_' and '-'", c.Prefix)
	}
	for _, number := range []struct {
		name string
		n    int
		most int
	}{
		{"Partitions", c.Partitions, 10_000},
		{"Replication", c.Replication, 100},
		{"MinInSync", c.MinInSync, 100},
		{"MaxBytes", c.MaxBytes, 64 << 20}, // a request has at most 100 MiB
		{"MaxAhead", c.MaxAhead, 1 << 30},
		{"MaxParkedPerKey", c.MaxParkedPerKey, 1 << 30},
		{"MaxParked", c.MaxParked, 1 << 30},
		{"MaxDelayed", c.MaxDelayed, 1 << 30},
	} {
		if number.n < 0 || number.n > number.most {
			complain("Config.%s is %d: it must be at least 0 (the default) and at most %d", number.name, number.n, number.most)
		}
	}
	const week, century = 7 * 24 * time.Hour, 100 * 365 * 24 * time.Hour
	for _, duration := range []struct {
		name           string
		d, least, most time.Duration
	}{
		{"Retention", c.Retention, time.Millisecond, century},
		{"StartTimeout", c.StartTimeout, time.Millisecond, week},
		{"PublishTimeout", c.PublishTimeout, time.Second, week}, // the client's least
		{"CommitInterval", c.CommitInterval, time.Millisecond, week},
		{"Session", c.Session, 100 * time.Millisecond, week},
		{"Heartbeat", c.Heartbeat, time.Millisecond, week},
		{"Drain", c.Drain, time.Millisecond, week},
	} {
		if duration.d < duration.least || duration.d > duration.most {
			complain("Config.%s is %v: it must be 0 (the default), or at least %v and at most %v", duration.name, duration.d, duration.least, duration.most)
		}
	}
	if c.MinInSync > c.Replication {
		complain("Config.MinInSync is %d and Replication %d: there cannot be more copies in sync than there are", c.MinInSync, c.Replication)
	}
	if c.Heartbeat >= c.Session {
		complain("Config.Heartbeat is %v and Session %v: a member must be heard several times a session", c.Heartbeat, c.Session)
	}
	problems = append(problems, c.SASL.check()...)
	return errors.Join(slices.DeleteFunc(problems, func(err error) bool { return err == nil })...)
}
