package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/kafka"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// storage is where everything is kept, by the flags.
type storage struct {
	backend notify.Backend
	// records are set where the backend keeps none; recorded is false if nobody
	// does.
	records  notify.Records
	recorded bool
	// addressKey is required where processes share the backend.
	addressKey []byte
	// view makes the timeline's store.
	view func(n *notify.Notifier) timeline.Store
	// close closes what the Notifier does not.
	close func() error
}

// openStorage connects to nothing yet: notify.New does.
func openStorage(o options, log *slog.Logger) (storage, error) {
	s := storage{
		recorded: true,
		view:     func(*notify.Notifier) timeline.Store { return timeline.NewMemory() },
		close:    func() error { return nil },
	}
	scheme, _, _ := strings.Cut(o.backend, "://")
	if o.records != "" && scheme != "kafka" {
		return s, errors.New("-records is for -backend kafka: the others keep their records themselves")
	}
	var err error
	switch scheme {
	case "memory":
		s.backend = memory.New()
	case "sqlite":
		file := sqlite.Open(o.db, func(c *sqlite.Config) { c.Logger = log })
		s.backend = file
		s.view = func(n *notify.Notifier) timeline.Store { return file.Timeline(n) }
	case "postgres", "postgresql":
		database := postgres.New(o.backend, func(c *postgres.Config) { c.Logger = log })
		s.backend = database
		s.view = func(n *notify.Notifier) timeline.Store { return database.Timeline(n) }
		s.addressKey, err = readAddressKey(o.addressKey)
	case "kafka":
		if s.backend, err = openKafka(o.backend, log); err == nil {
			err = s.openRecords(o.records, log)
		}
		if err == nil {
			s.addressKey, err = readAddressKey(o.addressKey)
		}
	default:
		err = errors.New("-backend has to be sqlite or memory, or begin with postgres:// or kafka://")
	}
	return s, err
}

// openRecords opens what Kafka does not have.
func (s *storage) openRecords(records string, log *slog.Logger) error {
	switch {
	case records == "none":
		s.records, s.recorded = notify.NoRecords(memory.NewRecords()), false
	case strings.HasPrefix(records, "postgres://"), strings.HasPrefix(records, "postgresql://"):
		store := postgres.Records(records, func(c *postgres.Config) { c.Logger = log })
		s.records, s.close = store, store.Close
		s.view = func(n *notify.Notifier) timeline.Store { return store.Timeline(n) }
	default:
		return errors.New("-backend kafka needs -records postgres://..., or -records none, which gives up idempotency keys, canceling and more")
	}
	return nil
}

func openKafka(address string, log *slog.Logger) (*kafka.Backend, error) {
	wrong := errors.New("-backend kafka has to be kafka://host:port[,host:port][?replication=N]")
	brokers, query, _ := strings.Cut(strings.TrimPrefix(address, "kafka://"), "?")
	values, err := url.ParseQuery(query)
	if err != nil || brokers == "" {
		return nil, wrong
	}
	replication := 0
	for name := range values {
		if replication, err = strconv.Atoi(values.Get(name)); name != "replication" || err != nil {
			return nil, wrong
		}
	}
	return kafka.New(strings.Split(brokers, ","), func(c *kafka.Config) {
		c.Replication, c.Logger = replication, log
	}), nil
}

func readAddressKey(file string) ([]byte, error) {
	if file == "" {
		return nil, errors.New("-address-key is required, since other processes may share the backend; make one by: head -c 32 /dev/urandom | base64 > address.key")
	}
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("-address-key: %w", err)
	}
	return bytes.TrimSpace(key), nil
}
