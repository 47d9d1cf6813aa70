package settle_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/handlers/settle"
	"github.com/seed-6c01d079/notify/notifytest"
)

// day is a day, and channelLimit the default of what waits for a channel.
const (
	day          = 24 * time.Hour
	channelLimit = 7 * time.Hour
)

func by(channels ...notify.Channel) notify.Notification {
	var steps []notify.Step
	for _, c := range channels {
		steps = append(steps, c)
	}
	return notify.Notification{
		To: notify.Recipient{ID: "ann", Addresses: map[notify.Channel]string{
			notify.EmailChannel: "ann@example.com", notify.SMSChannel: "+4930123456",
		}},
		Content: notify.Content{Title: "Shipped", Body: "On its way."}, Route: notify.First(steps...),
		ExpiresAt: time.Now().Add(300 * day),
	}
}

// desk is a bench that routes, observes and sends text messages, on a backend
// that a mailer may share.
type desk struct {
	*notifytest.Bench
	shared notifytest.FullBackend
	mail   *notifytest.Provider[notify.Email]
	text   *notifytest.Provider[notify.SMS]
	// limits are those of its processes.
	limits func(*settle.Config)
}

// run runs f with a desk, in memory and on the wire.
func run(t *testing.T, f func(t *testing.T, d *desk)) {
	for name, form := range map[string]func(*memory.Backend) notifytest.FullBackend{
		"memory": func(b *memory.Backend) notifytest.FullBackend { return b },
		"wire":   func(b *memory.Backend) notifytest.FullBackend { return notifytest.WireOnly(b) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d desk
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				d.Bench, d.text = b, notifytest.NewProvider[notify.SMS]("text")
				notify.Use(b.Notifier, d.text)
				b.Patience = 400 * day
				f(t, &d)
				b.Close()
				require.NoError(t, d.shared.Close())
			}, func(c *notify.Config) {
				d.shared = form(memory.New())
				c.Backend, c.KeepBackend = d.shared, true
				c.Roles = &notify.Roles{
					Route: true, Deliver: true, Observe: true, Channels: []notify.Channel{notify.SMSChannel},
					Elsewhere: []notify.Channel{notify.EmailChannel},
				}
			})
		})
	}
}

// mailer is a process that delivers e-mail.
type mailer struct {
	*notify.Notifier
	dead atomic.Bool
	ends sync.WaitGroup
}

// mails starts a mailer; mailer makes a process that delivers e-mail with the desk's mail provider.
func (d *desk) mails(t *testing.T, options ...func(*notify.ProviderConfig)) *mailer {
	m := d.mailer(t, options...)
	m.start(t)
	return m
}

func (d *desk) mailer(t *testing.T, options ...func(*notify.ProviderConfig)) *mailer {
	m := &mailer{}
	n, err := notify.New(notify.Config{
		Backend: mortal{d.shared, &m.dead}, KeepBackend: true, DrainTimeout: time.Second, Logger: slog.New(slog.DiscardHandler),
		Roles: &notify.Roles{Deliver: true},
	})
	require.NoError(t, err)
	notify.Use(n, d.mail, options...)
	n.Attach(settle.New(d.limits))
	m.Notifier = n
	return m
}

func (m *mailer) start(t *testing.T) {
	m.ends.Go(func() { _ = m.Run(context.Background()) })
	require.NoError(t, m.Ready(t.Context()))
}

// end closes the process, which may be dead.
func (m *mailer) end() {
	_ = m.Close(context.Background())
	m.ends.Wait()
}

// mortal is a backend as a process has it that may die: it writes nothing more.
type mortal struct {
	notifytest.FullBackend
	dead *atomic.Bool
}

var errDead = errors.New("the process is dead")

func (m mortal) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	if m.dead.Load() {
		return 0, errDead
	}
	return m.FullBackend.Commit(ctx, r, out)
}

// settles attaches a Settler, here and to the mailers.
func (d *desk) settles(limits func(*settle.Config)) {
	d.limits = limits
	d.Notifier.Attach(settle.New(limits))
}

// then sets the policy of one phase.
func then(phase notify.Phase, policy notify.LimitPolicy) func(*settle.Config) {
	return func(c *settle.Config) { *limitOf(c, phase) = notify.Limit{Then: policy} }
}

func defaults(*settle.Config) {}

func limitOf(c *settle.Config, phase notify.Phase) *notify.Limit {
	return map[notify.Phase]*notify.Limit{
		notify.PhaseAccepted: &c.Accepted, notify.PhaseHeld: &c.Held, notify.PhaseRouted: &c.Routed,
		notify.PhaseRetrying: &c.Retrying, notify.PhaseSending: &c.Sending, notify.PhaseSent: &c.Sent,
	}[phase]
}
