package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"

	"github.com/seed-6c01d079/notify"
)

// settings are those that decide about order, takeover and room.
type settings struct {
	// DB is the number of the database; default 0.
	DB int
	// Idle is how long a message may stay unacknowledged before another member
	// of the group takes it, since its own has probably died; default 3 min.
	// Redis counts from the delivery, so it has to be longer than a message may
	// be held: all its tries and the pauses between them, by default 102 s for
	// an observer.
	Idle time.Duration
	// Look is how often to look for such messages; default 5 s.
	Look time.Duration
	// Block is how long Redis holds its answer back when there is no message;
	// default 100 ms. A member that leaves may be given one more message for as
	// long, which then waits for Idle.
	Block time.Duration
	// Keep is how many messages a topic keeps, about: older ones are deleted,
	// whoever has not read them; default 1,000,000.
	Keep int64
	// Group says how a group reads; default [forNotify].
	Group func(name string) reading
}

// reading is how a group reads.
type reading struct {
	// Lanes is how many messages of a topic one process handles at once; with
	// more than one they have no order.
	Lanes int
	// From is where a new group begins: "0" with the oldest message, "$" with
	// what is published from now on.
	From string
}

// forNotify is how the groups of a Notifier read. The steps of the pipeline
// have to do all work, and in any order, since each looks at the record.
// Observers want their events in order, and no old ones.
func forNotify(group string) reading {
	if group == "notify" {
		return reading{Lanes: 16, From: "0"}
	}
	return reading{Lanes: 1, From: "$"}
}

func (s *settings) complete() {
	s.Idle = cmp.Or(s.Idle, 3*time.Minute)
	s.Look = cmp.Or(s.Look, 5*time.Second)
	s.Block = cmp.Or(s.Block, 100*time.Millisecond)
	s.Keep = cmp.Or(s.Keep, 1_000_000)
	if s.Group == nil {
		s.Group = forNotify
	}
}

// open returns a backend on the streams of a Redis. Nothing is connected yet.
func open(addr string, s settings, log *slog.Logger) (notify.Backend, error) {
	s.complete()
	logger := quiet{watermill.NewSlogLoggerWithLevelMapping(log, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})}
	// Every part has a client of its own, because it closes it.
	client := func(connections int) redis.UniversalClient {
		return redis.NewClient(&redis.Options{Addr: addr, DB: s.DB, PoolSize: connections})
	}
	pub, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client(0), DefaultMaxlen: s.Keep}, logger)
	if err != nil {
		return nil, fmt.Errorf("make a publisher: %w", err)
	}
	return notify.FromWatermill(pub, func(group string) (message.Subscriber, error) {
		r := s.Group(group)
		sub, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
			// A lane keeps one connection waiting for each topic, of which the
			// pipeline has one, and two for each channel; others acknowledge and
			// claim. They are made when they are needed.
			Client:        client(64 + 16*r.Lanes),
			ConsumerGroup: group,
			Consumer:      consumer(),
			OldestId:      r.From,
			BlockTime:     s.Block,
			ClaimInterval: s.Look,
			MaxIdleTime:   s.Idle,
			Unmarshaller:  lenient{},
			// Otherwise the reader of a topic in which nothing is published does not
			// end with its subscription.
			DisableIndefiniteInitialBlock: true,
			// Otherwise it tries a Redis that is down, or has lost the group,
			// again and again: so it shows in Health, and the group is made anew.
			ShouldStopOnReadErrors: func(error) bool { return true },
		}, logger)
		if err != nil {
			return nil, fmt.Errorf("make a subscriber: %w", err)
		}
		return parallel{sub, r.Lanes}, nil
	}), nil
}

// consumer names this process to those who look at a group's pending messages.
func consumer() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}
