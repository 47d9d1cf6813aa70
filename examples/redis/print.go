package main

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/seed-6c01d079/notify"
)

// screen is where everything is printed, line by line.
type screen struct {
	mu  sync.Mutex
	out io.Writer
}

func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format, args...)
}

// printer is a provider that prints mail instead of sending it.
type printer struct{ screen *screen }

func (printer) Name() string { return "printer" }

func (p printer) Send(_ context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	p.screen.printf("mail       to %s: %s\n", d.Message.To, d.Message.Subject)
	return notify.Receipt{MessageID: d.Key}, nil
}
