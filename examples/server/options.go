package main

import (
	"flag"
	"fmt"
	"io"
	"time"
)

// options are the program's flags. Secrets are not among them, since others on
// the machine can read them: a password of SMTP's is in the environment, and
// PostgreSQL's are where its tools look for them (PGPASSWORD, ~/.pgpass).
type options struct {
	addr       string
	backend    string
	db         string
	records    string
	addressKey string
	smtp       string
	from       string
	user       string
	drain      time.Duration
}

func parse(args []string, errs io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`host:port` to listen on")
	flags.StringVar(&o.backend, "backend", "sqlite", "sqlite, memory, postgres://user@host/database or kafka://host:port[,host:port][?replication=1]")
	flags.StringVar(&o.db, "db", "notify.db", "the `file` of -backend sqlite")
	flags.StringVar(&o.records, "records", "", "where records are with -backend kafka: postgres://user@host/database, or none,\nwhich gives up idempotency keys, canceling and more")
	flags.StringVar(&o.addressKey, "address-key", "", "a `file` with 16 or more secret bytes, the same for every process and for ever:\nrequired with -backend kafka and postgres")
	flags.StringVar(&o.smtp, "smtp", "", "`host:port` of the server that sends the mail; empty prints it")
	flags.StringVar(&o.from, "from", "notify@localhost", "the sender's `address`")
	flags.StringVar(&o.user, "smtp-user", "", "the `name` to log in as, with the password in $SMTP_PASSWORD")
	flags.DurationVar(&o.drain, "drain", 25*time.Second, "how long what is under way may take after SIGTERM")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("there are no arguments beside flags, see -help")
	}
	if o.drain <= 0 || o.drain > time.Hour {
		return o, fmt.Errorf("-drain has to be more than 0 and at most 1h")
	}
	return o, nil
}
