package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"

	"github.com/seed-6c01d079/notify/handlers/logs"
)

// shakyLog is a log that cannot be written to now and then. Unsafe, it says that
// it was.
type shakyLog struct {
	slog.Handler
	trouble *trouble
	unsafe  bool
}

func (l shakyLog) Handle(ctx context.Context, r slog.Record) error {
	err := l.trouble.write(func() error { return l.Handler.Handle(ctx, r) })
	if l.unsafe {
		return nil
	}
	return err
}

// logsSubject: a line at least for each event, in order for each notification.
func logsSubject(t *trial, unsafe bool) subject {
	out := &lockedBuffer{}
	logger := slog.New(shakyLog{slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}), t.trouble, unsafe})
	return subject{
		observers: []string{"logs"},
		attach: func(p *process) {
			p.Attach(logs.New(logger, func(c *logs.Config) { t.trouble.observe(&c.Observer) }))
		},
		check: func(_ *process, known truth) (wrong []string) {
			came := map[string][]string{}
			lines := map[string]int{}
			for line := range bytes.Lines(out.bytes()) {
				var record struct {
					NotificationID string `json:"notification_id"`
					EventID        string `json:"event_id"`
				}
				if err := json.Unmarshal(line, &record); err != nil {
					wrong = append(wrong, fmt.Sprintf("%v: %s", err, line))
					continue
				}
				came[record.NotificationID] = append(came[record.NotificationID], record.EventID)
				lines[record.EventID]++
			}
			for _, e := range known.all() {
				if lines[e.ID] == 0 {
					wrong = append(wrong, "no line about "+e.ID)
				}
			}
			for _, one := range known.sent {
				if problem := known.disorder(one.id, came[one.id]); problem != "" {
					wrong = append(wrong, one.fate+": "+problem)
				}
			}
			return wrong
		},
	}
}

// lockedBuffer is written to by many at once.
type lockedBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *lockedBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.all.Bytes())
}
