// Command server is a send endpoint as a small service, to copy and begin from:
//
//	go run ./examples/server
//	curl -d '{"to": {"addresses": {"email": "ann@example.com"}}, "content": {"title": "Hello"}}' \
//		-H 'Content-Type: application/json' http://127.0.0.1:8080/v1/send
//
// It keeps everything in one SQLite file and prints the mail, unless flags say
// otherwise: see -help and the README. It knows nobody: put your authentication
// before it, or into [service.handler].
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and drains then. Mail that is not sent by SMTP is
// printed to out.
func run(ctx context.Context, args []string, out, errs io.Writer) error {
	o, err := parse(args, errs)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(errs, nil))
	s, err := open(o, out, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return errors.Join(err, s.close(ctx))
	}
	return s.serve(ctx, listener)
}
