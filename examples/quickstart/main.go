// Command quickstart sends notifications and shows what becomes of them. An
// SMTP server in the same process receives real mail:
//
//	go run ./examples/quickstart
//
// With -smtp and -to the mail goes to a server of yours:
//
//	go run ./examples/quickstart -smtp localhost:25 -to you@example.com
//
// The program itself is in examples/internal/shop: begin with its Run.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/examples/internal/shop"
)

func main() {
	var mail shop.Mail
	mail.Flags(flag.CommandLine)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()

	// Nothing else is configured: everything is kept in memory.
	config := notify.Config{Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if err := shop.Run(ctx, os.Stdout, config, mail); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}
