package notify_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// share makes Notifiers share a backend. It is made by the first of them, so
// that it is in the bubble of the test.
func share(f form, shared **memory.Backend) func(*notify.Config) {
	return func(c *notify.Config) {
		if *shared == nil {
			*shared = memory.New()
		}
		c.Backend, c.KeepBackend = f.of(*shared), true
	}
}

// Four processes share a backend: one accepts, one routes and observes, and
// one delivers each channel.
func TestRoles(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			var shared *memory.Backend
			as := func(roles notify.Roles) func(*notify.Config) {
				return func(c *notify.Config) {
					share(form, &shared)(c)
					c.Roles = &roles
				}
			}
			mail := notifytest.NewProvider[notify.Email]("mail", reporting)
			text := notifytest.NewProvider[notify.SMS]("text")
			text.Next(notifytest.FailPermanently(notify.ClassAddress, "21211"))
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				defer func() { require.NoError(t, shared.Close()) }()
				defer b.Close()
				accepts := notifytest.Open(t, as(notify.Roles{}))
				defer accepts.Close()
				mails := notifytest.Open(t, as(notify.Roles{Deliver: true, Channels: []notify.Channel{notify.EmailChannel}}))
				defer mails.Close()
				texts := notifytest.Open(t, as(notify.Roles{Deliver: true, Channels: []notify.Channel{notify.SMSChannel}}))
				defer texts.Close()
				notify.Use(mails.Notifier, mail, anHour)
				notify.Use(texts.Notifier, text)
				b.Start()
				mails.Start()

				nt := toAnna(notify.SMSChannel, notify.EmailChannel)
				nt.Key = "order-1"
				id := accepts.Send(nt)
				require.Equal(t, id, b.Send(nt), "one key in two processes")
				b.Until(id, notify.Routed{})
				b.Pass(time.Hour)
				b.Require(id, notifytest.Never(notify.Sending{}))

				texts.Start() // what waited for it is done now
				b.Until(id, notify.Sent{})
				require.NoError(t, accepts.Notifier.Report(t.Context(), notify.Report{
					Provider: "mail", MessageID: mail.Receipts(id)[0].MessageID, Event: notify.Delivered{},
				}), "a report may come anywhere")
				b.Settle(id)
				b.Require(id,
					notifytest.State(notify.StateDelivered),
					notifytest.Once(notify.Accepted{}),
					notifytest.Sequence(
						notify.Sending{Attempt: notify.Attempt{Provider: "text"}}, notify.Failed{}, notify.FailedOver{},
						notify.Sent{Attempt: notify.Attempt{Provider: "mail"}}, notify.Delivered{}, notify.Settled{},
					),
				)
				for _, other := range []*notifytest.Bench{accepts, mails, texts} {
					status, err := other.Notifier.Wait(t.Context(), id)
					require.NoError(t, err)
					require.Equal(t, notify.StateDelivered, status.State)
					require.Empty(t, other.Events(""), "it does not observe")
				}
				require.Equal(t, 1, mail.Effects())
			}, as(notify.Roles{
				Route: true, Observe: true, Elsewhere: []notify.Channel{notify.EmailChannel, notify.SMSChannel},
			}))
		})
	}
}

// Two processes with the same roles share the work, and nothing is done twice.
func TestTwoProcessesShareTheWork(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			var shared *memory.Backend
			config := share(form, &shared)
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				defer func() { require.NoError(t, shared.Close()) }()
				defer b.Close()
				other := notifytest.Open(t, config, func(c *notify.Config) {
					c.Roles = &notify.Roles{Route: true, Deliver: true}
				})
				defer other.Close()
				mail := notifytest.NewProvider[notify.Email]("mail")
				mail.Decide(func(d notify.Delivery[notify.Email]) notifytest.Outcome {
					return notifytest.Succeed().After(time.Second)
				})
				notify.Use(b.Notifier, mail)
				notify.Use(other.Notifier, mail)
				b.Start()
				other.Start()
				var ids []string
				for i := range 60 {
					sender := b
					if i%2 == 0 {
						sender = other
					}
					ids = append(ids, sender.Send(toAnna(notify.EmailChannel)))
				}
				b.Settle(ids...)
				for _, id := range ids {
					require.Equal(t, 1, mail.EffectsOf(id))
					b.Require(id, notifytest.State(notify.StateSent), notifytest.Once(notify.Settled{}), notifytest.Once(notify.Sending{}))
				}
			}, config)
		})
	}
}
