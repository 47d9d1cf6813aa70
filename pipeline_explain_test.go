package notify_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

var everyChannel = []notify.Channel{notify.EmailChannel, notify.SMSChannel, notify.PushChannel, notify.ChatChannel}

// randomRoute is a route of up to three levels.
func randomRoute(r *rand.Rand, levels int) notify.Step {
	if levels == 0 || r.IntN(3) == 0 {
		return everyChannel[r.IntN(len(everyChannel))]
	}
	steps := make([]notify.Step, 1+r.IntN(3))
	for i := range steps {
		steps[i] = randomRoute(r, levels-1)
	}
	if r.IntN(2) == 0 {
		return notify.First(steps...)
	}
	return notify.All(steps...)
}

// randomNotification is for a recipient who can be reached on some channels,
// as the directory says: with addresses of which some are wrong.
func randomNotification(r *rand.Rand) (notify.Notification, notify.Recipient) {
	who := notify.Recipient{Name: "Anna", Addresses: map[notify.Channel]string{}}
	for c, address := range anna().Addresses {
		switch r.IntN(4) {
		case 0:
		case 1:
			who.Addresses[c] = "not\nan address"
		default:
			who.Addresses[c] = address
		}
	}
	nt := notify.Notification{
		To: notify.User("anna"), Content: notify.Content{Title: "Shipped", Body: "On its way."},
		Route: notify.First(randomRoute(r, 2), randomRoute(r, 2)),
	}
	return nt, who
}

// Whatever Explain says of a plan is what the route step then does.
func TestExplainSaysWhatHappens(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			var who notify.Recipient
			var without []notify.Channel
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				mail := notifytest.NewProvider[notify.Email]("mail")
				text := notifytest.NewProvider[notify.SMS]("text")
				push := notifytest.NewProvider[notify.Push]("push")
				chat := notifytest.NewProvider[notify.Chat]("chat")
				notify.Use(b.Notifier, mail)
				notify.Use(b.Notifier, text)
				notify.Use(b.Notifier, push)
				notify.Use(b.Notifier, chat)
				b.Notifier.Guard("some", func(context.Context, notify.GuardRequest) (notify.Decision, error) {
					return notify.Without(without...), nil
				})
				b.Start()
				r := rand.New(rand.NewPCG(1, 2))
				planned, unroutable := 0, 0
				for range 150 {
					var nt notify.Notification
					nt, who = randomNotification(r)
					without = nil
					if r.IntN(2) == 0 {
						without = []notify.Channel{everyChannel[r.IntN(len(everyChannel))]}
					}
					explained, err := b.Notifier.Explain(t.Context(), nt)
					require.NoError(t, err)
					id := b.Send(nt)
					b.Settle(id)
					if explained.Undeliverable != "" {
						unroutable++
						b.Require(id, notifytest.Never(notify.Routed{}), notifytest.Once(notify.Undeliverable{
							Reason: explained.Undeliverable, Rejected: explained.Rejected,
						}))
						continue
					}
					planned++
					requireRouted(t, b, id, explained)
				}
				require.Greater(t, planned, 20)
				require.Greater(t, unroutable, 5)
			}, form.config, knows(func(context.Context, string) (notify.Recipient, error) { return who, nil }))
		})
	}
}

func requireRouted(t *testing.T, b *notifytest.Bench, id string, explained notify.Explanation) {
	t.Helper()
	var legs []notify.Leg
	for _, leg := range explained.Legs {
		require.Empty(t, leg.Problem)
		require.Len(t, leg.Providers, 1)
		legs = append(legs, leg.Leg)
	}
	for _, e := range b.Events(id) {
		if routed, ok := e.Data.(notify.Routed); ok {
			require.Equal(t, explained.Plan, routed.Plan)
			require.Equal(t, legs, routed.Legs)
			require.Equal(t, explained.Rejected, routed.Rejected)
			return
		}
	}
	t.Fatalf("notification %s was not routed", id)
}

func TestExplainRendersAndSendsNothing(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("spare"))
		b.Start()
		nt := toAnna(notify.EmailChannel)
		explained, err := b.Notifier.Explain(t.Context(), nt)
		require.NoError(t, err)
		require.Equal(t, []notify.ExplainedLeg{{
			Leg:       notify.Leg{Leg: 1, Channel: notify.EmailChannel},
			Providers: []string{"mail", "spare"},
			Message: notify.Email{
				To: "anna@example.com", ToName: "Anna", Subject: "Shipped", Text: "Your order is on its way.",
			},
		}}, explained.Legs)
		require.ElementsMatch(t, everyChannel, explained.Channels)
		b.Pass(time.Hour)
		require.Empty(t, mail.Calls())
		require.Empty(t, b.Events(""))

		id := b.Send(nt)
		b.Settle(id)
		require.Equal(t, explained.Legs[0].Message, mail.Deliveries()[0].Message)
	})
}

func TestExplainTellsOfSchedulesGuardsAndBreakers(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(notifytest.FailTemporarily(notify.ClassNetwork, "refused"))
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.BreakerFailures, c.Attempts = 1, 1 })
		until := time.Now().Add(24 * time.Hour)
		b.Notifier.Guard("labels", func(_ context.Context, req notify.GuardRequest) (notify.Decision, error) {
			switch req.Labels["do"] {
			case "suppress":
				return notify.Suppress("no"), nil
			case "delay":
				return notify.DelayUntil(until, "night"), nil
			}
			return notify.Allow(), nil
		})
		b.Settle(b.Send(toAnna(notify.EmailChannel))) // opens the breaker
		explain := func(do string, edit func(*notify.Notification)) notify.Explanation {
			t.Helper()
			nt := toAnna(notify.EmailChannel)
			nt.Labels = map[string]string{"do": do}
			edit(&nt)
			explained, err := b.Notifier.Explain(t.Context(), nt)
			require.NoError(t, err)
			return explained
		}
		same := func(*notify.Notification) {}
		require.Equal(t, []string{"mail"}, explain("", same).Legs[0].Down)
		require.Equal(t, &notify.Suppressed{Guard: "labels", Reason: "no"}, explain("suppress", same).Suppressed)
		require.Equal(t,
			&notify.Delayed{Until: until, Reason: notify.DelayGuard, Guard: "labels", GuardReason: "night"},
			explain("delay", same).Delayed)
		require.True(t, explain("", func(nt *notify.Notification) { nt.ExpiresAt = time.Now().Add(-time.Hour) }).Expired)
		later := time.Now().Add(time.Hour)
		require.Equal(t,
			&notify.Delayed{Until: later, Reason: notify.DelayScheduled},
			explain("", func(nt *notify.Notification) { nt.NotBefore = later }).Delayed)

		nt := toAnna(notify.EmailChannel)
		nt.Content = notify.Content{}
		_, wrong := b.Notifier.Explain(t.Context(), nt)
		_, err := b.Notifier.Send(t.Context(), nt)
		require.Error(t, err)
		require.Equal(t, err, wrong, "Explain's error is Send's")
	})
}
