package kafka

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// repeatedAfter is how long what the client says is not logged again: while no
// broker answers, each of a backend's clients says so many times a second.
const repeatedAfter = 10 * time.Second

// logger has the Kafka client's warnings logged. What it says at other levels
// is of interest to its authors only.
type logger struct {
	to *slog.Logger

	mu   sync.Mutex
	said map[string]*said // by what is said, of which there is little
}

// said is when something was logged, and how often it was said since.
type said struct {
	at    time.Time
	times int
}

func newLogger(to *slog.Logger) *logger { return &logger{to: to, said: map[string]*said{}} }

func (*logger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

func (l *logger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.said[msg]
	if before != nil && time.Since(before.at) < repeatedAfter {
		before.times++
		return
	}
	l.said[msg] = &said{at: time.Now()}
	if before != nil && before.times > 0 {
		keyvals = append(slices.Clip(keyvals), "unsaid", before.times)
	}
	to := slog.LevelWarn
	if level == kgo.LogLevelError {
		to = slog.LevelError
	}
	l.to.Log(context.Background(), to, "kafka: the client says: "+msg, keyvals...)
}
