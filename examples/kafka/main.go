// Command kafka is the quickstart's program on Kafka:
//
//	go run ./examples/kafka
//	go run ./examples/kafka -brokers localhost:9092
//
// Without -brokers it starts a broker in this process, which speaks the real
// protocol and keeps everything in memory. Records are in this process's memory
// too: a program of several processes has them in PostgreSQL, by
// postgres.Records.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/kafka"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/examples/internal/shop"
)

func main() {
	brokers := flag.String("brokers", "", "`HOST:PORT[,HOST:PORT]` of a Kafka cluster; empty starts a broker in this process")
	var mail shop.Mail
	mail.Flags(flag.CommandLine)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout, *brokers, mail); err != nil {
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, brokers string, mail shop.Mail) error {
	if brokers == "" {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return fmt.Errorf("start a broker: %w", err)
		}
		defer cluster.Close()
		brokers = strings.Join(cluster.ListenAddrs(), ",")
		fmt.Fprintf(out, "no -brokers were given: a broker in this process listens on %s\n", brokers)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return shop.Run(ctx, out, notify.Config{
		Backend: kafka.New(strings.Split(brokers, ","), func(c *kafka.Config) {
			c.Replication, c.Partitions, c.Logger = 1, 4, log // of a cluster for trying it out
		}),
		Records:    memory.NewRecords(),
		AddressKey: []byte("the same 16 or more secret bytes in every process"),
		Logger:     log,
	}, mail)
}
