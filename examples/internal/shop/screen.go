package shop

import (
	"fmt"
	"io"
	"strings"
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

// event prints one event: its name, and what it is about.
func (s *screen) event(e notify.Event[any]) {
	name := strings.TrimSuffix(strings.TrimPrefix(e.Type, "notify."), ".v1")
	about := ""
	switch data := e.Data.(type) {
	case interface{ AttemptRef() notify.Attempt }:
		about = fmt.Sprintf("%s by %s", data.AttemptRef().Channel, data.AttemptRef().Provider)
	case interface{ LegRef() notify.Leg }:
		about = string(data.LegRef().Channel)
	case notify.FailedOver:
		about = fmt.Sprintf("from %s to %s", data.From.Channel, data.To.Channel)
	case notify.Settled:
		about = string(data.State)
	case OrderPaid:
		about = "order " + data.Order
	}
	s.printf("event      %-16s %s\n", name, about)
}
