package settle_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/settle"
	"github.com/seed-6c01d079/notify/notifytest"
)

// slow retries after an hour.
func slow(c *notify.ProviderConfig) {
	c.Backoff = func(int) time.Duration { return time.Hour }
	c.Budget = day
}

// life brings a notification to a phase, in which nothing but a limit ends it.
type life struct {
	phase notify.Phase
	// after is when its default limit is reached.
	after time.Duration
	begin func(t *testing.T, d *desk, nt notify.Notification) (id string)
	leg   bool // it is a leg's phase
	calls int  // of the e-mail provider
}

var lives = []life{
	{
		phase: notify.PhaseAccepted, after: 2 * time.Hour,
		begin: func(t *testing.T, d *desk, nt notify.Notification) string {
			d.Notifier.Guard("broken", func(context.Context, notify.GuardRequest) (notify.Decision, error) {
				return notify.Allow(), errors.New("no connection")
			})
			return d.Send(nt)
		},
	},
	{
		phase: notify.PhaseHeld, after: 7 * day,
		begin: func(t *testing.T, d *desk, nt notify.Notification) string {
			d.Notifier.Guard("quiet", func(_ context.Context, req notify.GuardRequest) (notify.Decision, error) {
				return notify.DelayUntil(req.Now.Add(50*time.Hour), "quiet"), nil
			})
			return d.Send(nt)
		},
	},
	{
		phase: notify.PhaseRouted, after: channelLimit, leg: true,
		begin: func(t *testing.T, d *desk, nt notify.Notification) string { return d.Send(nt) },
	},
	{
		phase: notify.PhaseRetrying, after: time.Hour + channelLimit, leg: true, calls: 1,
		begin: func(t *testing.T, d *desk, nt notify.Notification) string {
			d.mail.Next(notifytest.FailTemporarily(notify.ClassService, "503"))
			m := d.mails(t, slow)
			id := d.Send(nt)
			d.Until(id, notify.Retrying{})
			m.end()
			return id
		},
	},
	{
		phase: notify.PhaseSending, after: 40*time.Second + channelLimit, leg: true, calls: 1,
		begin: func(t *testing.T, d *desk, nt notify.Notification) string {
			m := d.mails(t)
			d.mail.Decide(func(notify.Delivery[notify.Email]) notifytest.Outcome {
				m.dead.Store(true)
				return notifytest.Succeed()
			})
			id := d.Send(nt)
			d.Until(id, notify.Sending{})
			d.Rest()
			m.end()
			return id
		},
	},
	{
		phase: notify.PhaseSent, after: 4 * day, leg: true, calls: 1,
		begin: func(t *testing.T, d *desk, nt notify.Notification) string {
			d.mail = notifytest.NewProvider[notify.Email]("mail", func(c *notify.Capabilities) { c.Receipts = true })
			m := d.mails(t, func(c *notify.ProviderConfig) { c.ReceiptWindow = 6 * day })
			id := d.Send(nt)
			d.Until(id, notify.Sent{})
			m.end()
			return id
		},
	},
}

func eachLife(t *testing.T, f func(t *testing.T, d *desk, l life)) {
	for _, l := range lives {
		t.Run(string(l.phase), func(t *testing.T) {
			t.Parallel()
			run(t, func(t *testing.T, d *desk) {
				d.mail = notifytest.NewProvider[notify.Email]("mail")
				f(t, d, l)
			})
		})
	}
}

// stuck is what tells of the phase.
func (l life) stuck() notify.Stuck {
	s := notify.Stuck{Phase: l.phase}
	if l.leg {
		s.Leg, s.Channel = 1, notify.EmailChannel
	}
	return s
}

// A limit that reports tells once that something is stuck, at its time, and
// changes nothing.
func TestReport(t *testing.T) {
	t.Parallel()
	eachLife(t, func(t *testing.T, d *desk, l life) {
		d.settles(then(l.phase, settle.Report))
		id := l.begin(t, d, by(notify.EmailChannel, notify.SMSChannel))
		d.Until(id, notify.Stuck{})
		d.Pass(day)
		d.Require(id,
			notifytest.Once(notify.Stuck{}), notifytest.At(l.after, l.stuck()),
			notifytest.Once(notify.Accepted{}), notifytest.Sequence(notify.Accepted{}, notify.Stuck{}),
			notifytest.Never(notify.Settled{}),
		)
		require.Len(t, d.mail.Calls(), l.calls)
		require.Empty(t, d.text.Calls())
		if l.phase == notify.PhaseSent {
			d.Settle(id)
			d.Require(id, notifytest.At(6*day, notify.Settled{}), notifytest.State(notify.StateSent), notifytest.Once(notify.Stuck{}))
		}
	})
}

// What has not been sent expires, and the plan goes on.
func TestExpire(t *testing.T) {
	t.Parallel()
	eachLife(t, func(t *testing.T, d *desk, l life) {
		if l.phase == notify.PhaseSending || l.phase == notify.PhaseSent {
			return
		}
		d.settles(then(l.phase, settle.Expire))
		one := l.begin(t, d, by(notify.EmailChannel, notify.SMSChannel))
		d.Settle(one)
		d.Require(one,
			notifytest.Once(l.stuck()), notifytest.At(l.after, l.stuck()), notifytest.At(l.after, notify.Settled{}),
			notifytest.Once(notify.Accepted{}), notifytest.Once(notify.Expired{}),
			notifytest.Sequence(notify.Accepted{}, l.stuck(), notify.Expired{}, notify.Settled{}),
		)
		require.Len(t, d.mail.Calls(), l.calls)
		if !l.leg {
			d.Require(one, notifytest.State(notify.StateExpired), notifytest.Never(notify.Routed{}))
			require.Empty(t, d.text.Calls())
			return
		}
		d.Require(one, notifytest.State(notify.StateSent), notifytest.Once(notify.FailedOver{Reason: notify.EndExpired}))
		require.Equal(t, 1, d.text.EffectsOf(one))
		// Who comes back finds what was decided.
		m := d.mails(t)
		d.Pass(day)
		require.Len(t, d.mail.Calls(), l.calls)
		d.Require(one, notifytest.Once(notify.Settled{}), notifytest.Never(notify.Corrected{}))
		m.end()
	})
}

// Without another way it has expired as a whole.
func TestExpireTheLast(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, d *desk) {
		d.settles(defaults)
		id := d.Send(by(notify.EmailChannel))
		d.Settle(id)
		d.Require(id,
			notifytest.State(notify.StateExpired), notifytest.At(channelLimit, notify.Settled{}), notifytest.Once(notify.Stuck{}),
			notifytest.Count(2, notifytest.That(func(e notify.Expired) bool { return e.At.Equal(d.Events(id)[0].Time.Add(channelLimit)) })),
		)
	})
}

// What may have been sent ends as unknown, and the plan goes on only if it may.
func TestUnknown(t *testing.T) {
	t.Parallel()
	sending := lives[4]
	for name, route := range map[string]func(notify.Notification) notify.Notification{
		"stops": func(nt notify.Notification) notify.Notification { return nt },
		"goes on": func(nt notify.Notification) notify.Notification {
			nt.Route = nt.Route.OnDoubt()
			return nt
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, func(t *testing.T, d *desk) {
				d.mail = notifytest.NewProvider[notify.Email]("mail", func(c *notify.Capabilities) { c.Receipts = true })
				d.settles(defaults)
				id := sending.begin(t, d, route(by(notify.EmailChannel, notify.SMSChannel)))
				d.Settle(id)
				d.Require(id,
					notifytest.Once(sending.stuck()), notifytest.At(sending.after, notify.Settled{}),
					notifytest.Once(notify.Unknown{Attempt: notify.Attempt{Provider: "mail", Attempt: 1}}),
					notifytest.Sequence(notify.Sending{}, notify.Stuck{State: notify.StateSending}, notify.Unknown{}, notify.Settled{}),
					notifytest.Never(notify.Expired{}),
				)
				if name == "goes on" {
					d.Require(id, notifytest.State(notify.StateSent))
					require.Equal(t, 1, d.text.EffectsOf(id))
				} else {
					d.Require(id, notifytest.State(notify.StateUnknown))
					require.Empty(t, d.text.Calls())
				}
				// The provider reports: what was unknown is corrected.
				require.NoError(t, d.Notifier.Report(t.Context(), notify.Report{Key: d.mail.Keys()[0], Event: notify.Delivered{}}))
				d.Until(id, notify.Corrected{To: notify.StateDelivered})
				d.Require(id, notifytest.State(notify.StateDelivered), notifytest.Once(notify.Settled{}))
				require.Len(t, d.mail.Calls(), 1)
			})
		})
	}
}

// What a report says before the limit is reached decides how it ends.
func TestReportedBefore(t *testing.T) {
	t.Parallel()
	sending := lives[4]
	run(t, func(t *testing.T, d *desk) {
		d.mail = notifytest.NewProvider[notify.Email]("mail", func(c *notify.Capabilities) { c.Receipts = true })
		d.settles(defaults)
		id := sending.begin(t, d, by(notify.EmailChannel, notify.SMSChannel))
		require.NoError(t, d.Notifier.Report(t.Context(), notify.Report{Key: d.mail.Keys()[0], Event: notify.Delivered{}}))
		d.Settle(id)
		d.Require(id, notifytest.At(sending.after, notify.Settled{}), notifytest.State(notify.StateDelivered), notifytest.Never(notify.Unknown{}))
	})
}

// A limit ends nothing that a schedule holds, or that somebody is at.
func TestWhatDoesNotLinger(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, d *desk) {
		d.mail = notifytest.NewProvider[notify.Email]("mail", func(c *notify.Capabilities) { c.KeyWindow = day })
		d.settles(func(c *settle.Config) {
			c.Accepted.Then, c.Held.Then = settle.Expire, settle.Expire
			c.Accepted.After, c.Held.After = time.Hour, time.Hour
			c.Sending.After = time.Hour + 10*time.Second
		})
		m := d.mails(t, func(c *notify.ProviderConfig) { c.AttemptTimeout = time.Hour })
		d.mail.Next(notifytest.Succeed().After(50*time.Minute), notifytest.LoseAnswer().After(55*time.Minute))
		nt := by(notify.EmailChannel, notify.SMSChannel)
		nt.NotBefore = time.Now().Add(3 * day)
		ids := []string{d.Send(nt), d.Send(nt)}
		d.Settle(ids...)
		for _, id := range ids {
			d.Require(id, notifytest.State(notify.StateSent), notifytest.Never(notify.Stuck{}))
			require.Equal(t, 1, d.mail.EffectsOf(id))
		}
		require.Empty(t, d.text.Calls())
		m.end()
	})
}

// A phase that is entered again is told again.
func TestOnceEachTime(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, d *desk) {
		d.mail = notifytest.NewProvider[notify.Email]("mail")
		d.mail.Always(notifytest.FailTemporarily(notify.ClassService, "503"))
		d.settles(func(c *settle.Config) { c.Retrying = notify.Limit{After: 10 * time.Minute} })
		id := d.Send(by(notify.EmailChannel))
		for calls := range 3 {
			m := d.mails(t, slow)
			d.Until(id, notify.Retrying{Attempt: notify.Attempt{Attempt: calls + 1}})
			m.end()
			d.Pass(95 * time.Minute)
		}
		d.Require(id, notifytest.Count(3, notify.Stuck{Phase: notify.PhaseRetrying}), notifytest.Count(3, notify.Stuck{}))
		ids := map[string]bool{}
		for _, e := range d.Events(id) {
			require.False(t, ids[e.ID], e.ID)
			ids[e.ID] = true
		}
	})
}

// A phase without a limit is never told, however often it was swept; what has no
// limits at all is, after some sweeps.
func TestNoLimit(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, d *desk) {
		d.settles(func(c *settle.Config) { c.Routed.After = -1 })
		id := d.Send(by(notify.EmailChannel))
		d.Pass(2 * day)
		d.Require(id, notifytest.Never(notify.Stuck{}))
	})
	run(t, func(t *testing.T, d *desk) {
		id := d.Send(by(notify.EmailChannel))
		d.Pass(2 * day)
		d.Require(id, notifytest.Once(notify.Stuck{}), notifytest.Never(notify.Stuck{Phase: notify.PhaseRouted}))
	})
}

// A guard that holds a leg over and over is held to the limit too.
func TestHeldLeg(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, d *desk) {
		d.mail = notifytest.NewProvider[notify.Email]("mail")
		d.mail.Always(notifytest.FailTemporarily(notify.ClassService, "503"))
		guard := func(_ context.Context, req notify.GuardRequest) (notify.Decision, error) {
			if req.Channel == "" {
				return notify.Allow(), nil
			}
			return notify.DelayUntil(req.Now.Add(5*time.Hour), "quiet"), nil
		}
		d.settles(func(c *settle.Config) { c.Held = notify.Limit{After: 12 * time.Hour, Then: settle.Expire} })
		const backoff = time.Minute
		m := d.mailer(t, func(c *notify.ProviderConfig) { c.Backoff = func(int) time.Duration { return backoff } })
		m.Guard("quiet", guard)
		m.start(t)
		id := d.Send(by(notify.EmailChannel, notify.SMSChannel))
		d.Settle(id)
		d.Require(id,
			notifytest.Once(notify.Stuck{}), notifytest.At(12*time.Hour+backoff, notify.Stuck{Phase: notify.PhaseHeld, Leg: 1}),
			notifytest.Count(3, notify.Delayed{}), notifytest.State(notify.StateSent),
		)
		require.Len(t, d.mail.Calls(), 1)
		m.end()
	})
}
