package notify_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

// lines is a log.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(line)
}

// with returns the lines that have the text.
func (l *lines) with(text string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.all.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

const secretOfAPanic = "anna@example.com"

type panickingMail struct{ notify.Provider[notify.Email] }

func (panickingMail) Send(context.Context, notify.Delivery[notify.Email]) (notify.Receipt, error) {
	panic(secretOfAPanic)
}

// Where the host's code panicked is in the log, once somebody looks for what is
// wrong; the value, which may hold anything, is not.
func TestTheLogTellsWhereItPanicked(t *testing.T) {
	panickingGuard := func() (notify.Decision, error) { panic(secretOfAPanic) }
	panickingRender := func() (notify.Email, error) { panic(secretOfAPanic) }
	for name, c := range map[string]struct {
		register func(n *notify.Notifier)
		message  string
		level    string
		at       string
	}{
		"a provider": {func(n *notify.Notifier) {
			notify.Use(n, panickingMail{notifytest.NewProvider[notify.Email]("mail")})
		}, "a provider failed", "ERROR", "panickingMail.Send"},
		"a guard": {func(n *notify.Notifier) {
			notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
			n.Guard("mine", func(context.Context, notify.GuardRequest) (notify.Decision, error) { return panickingGuard() })
		}, "a step failed", "WARN", "TestTheLogTellsWhereItPanicked"},
		"a renderer": {func(n *notify.Notifier) {
			notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
			notify.Render(n, func(context.Context, notify.RenderRequest) (notify.Email, error) { return panickingRender() })
		}, "could not be rendered", "ERROR", "TestTheLogTellsWhereItPanicked"},
		"an observer": {func(n *notify.Notifier) {
			notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
			notify.On(n, "mine", func(context.Context, notify.Event[notify.Sent]) error { panic(secretOfAPanic) })
		}, "an observer panicked", "ERROR", "TestTheLogTellsWhereItPanicked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log lines
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				c.register(b.Notifier)
				id := b.Send(toAnna(notify.EmailChannel))
				b.Settle(id)
				b.Rest()
			}, func(config *notify.Config) { config.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			found := log.with(c.message)
			require.NotEmpty(t, found)
			require.Contains(t, found[0], "level="+c.level)
			require.Contains(t, found[0], "stack=")
			require.Contains(t, found[0], c.at)
			require.Empty(t, log.with(secretOfAPanic))
		})
	}
}

func TestABackendThatIsANilPointer(t *testing.T) {
	_, err := notify.New(notify.Config{Backend: (*nilBackend)(nil), DrainTimeout: -1})
	require.ErrorContains(t, err, "Config.Backend: is a *notify_test.nilBackend that is nil")
	require.ErrorContains(t, err, "DrainTimeout")
}

type nilBackend struct{ notify.Backend }
