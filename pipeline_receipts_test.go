package notify_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

// reporting is a service that reports later what became of a message.
func reporting(c *notify.Capabilities) { c.Receipts = true }

// anHour is how long to wait for its reports.
func anHour(c *notify.ProviderConfig) { c.ReceiptWindow = time.Hour }

// report has the provider say something about the only message that the
// recipient of a notification got from it.
func report[M notify.Message](t *testing.T, b *notifytest.Bench, p *notifytest.Provider[M], id string, event any) {
	t.Helper()
	receipts := p.Receipts(id)
	require.Len(t, receipts, 1)
	require.NoError(t, b.Notifier.Report(t.Context(), notify.Report{
		Provider: p.Name(), MessageID: receipts[0].MessageID, Event: event,
	}))
}

func TestDeliveredEndsTheReceiptWindow(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", reporting)
		notify.Use(b.Notifier, mail, anHour)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Until(id, notify.Sent{})
		b.Pass(10 * time.Minute)
		b.Require(id, notifytest.State(notify.StateSent), notifytest.Never(notify.Settled{}))

		report(t, b, mail, id, notify.Delivered{Code: "250"})
		b.Settle(id)
		attempt := notify.Attempt{Leg: notify.Leg{Leg: 1, Channel: notify.EmailChannel}, Attempt: 1, Provider: "mail"}
		b.Require(id,
			notifytest.Exactly(
				notify.Accepted{}, notify.Routed{}, notify.Rendered{}, notify.Sending{}, notify.Sent{MessageID: "mail-1"},
				notify.Delivered{Attempt: attempt, MessageID: "mail-1", Code: "250"},
				notify.Settled{State: notify.StateDelivered},
			),
			notifytest.Never(notify.Sent{Final: true}),
			notifytest.At(10*time.Minute, notify.Settled{}),
		)
	})
}

func TestReportByKey(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", reporting)
		mail.Always(notifytest.SucceedWith(notify.Receipt{})) // gives its messages no names
		notify.Use(b.Notifier, mail, anHour)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Until(id, notify.Sent{})
		require.NoError(t, b.Notifier.Report(t.Context(), notify.Report{Key: mail.Keys()[0], Event: notify.Delivered{}}))
		b.Settle(id)
		b.Require(id, notifytest.State(notify.StateDelivered))
	})
}

func TestABounceInTheReceiptWindowFailsOver(t *testing.T) {
	for _, test := range []struct {
		event  any
		reason notify.EndReason
	}{
		{notify.Bounced{Class: notify.ClassAddress, Code: "5.1.1"}, notify.EndBounced},
		{notify.Undelivered{Class: notify.ClassService}, notify.EndUndelivered},
	} {
		t.Run(string(test.reason), func(t *testing.T) {
			inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
				text := notifytest.NewProvider[notify.SMS]("text", reporting)
				mail := notifytest.NewProvider[notify.Email]("mail")
				notify.Use(b.Notifier, text, anHour)
				notify.Use(b.Notifier, mail)
				id := b.Send(toAnna(notify.SMSChannel, notify.EmailChannel))
				b.Until(id, notify.Sent{})
				report(t, b, text, id, test.event)
				b.Settle(id)
				b.Require(id,
					notifytest.State(notify.StateSent),
					notifytest.Sequence(
						notify.Sent{Attempt: notify.Attempt{Provider: "text"}}, test.event,
						notify.Failed{Reason: test.reason}, notify.FailedOver{Reason: test.reason},
						notify.Sent{Attempt: notify.Attempt{Provider: "mail"}}, notify.Settled{State: notify.StateSent},
					),
				)
				require.Equal(t, 1, mail.Effects())
			})
		})
	}
}

func TestABounceWithoutAnotherWayEndsAsBounced(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", reporting)
		notify.Use(b.Notifier, mail, anHour)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Until(id, notify.Sent{})
		report(t, b, mail, id, notify.Bounced{Class: notify.ClassAddress})
		b.Settle(id)
		b.Require(id,
			notifytest.State(notify.StateBounced),
			notifytest.Once(notify.AddressInvalid{}),
			notifytest.Sequence(notify.Bounced{}, notify.Failed{}, notify.Undeliverable{}, notify.Settled{State: notify.StateBounced}),
		)
	})
}

func TestTheReceiptWindowPasses(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", reporting)
		notify.Use(b.Notifier, mail, anHour)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.Sequence(notify.Sent{}, notify.Settled{State: notify.StateSent}))
		settled := b.Events(id)[5]
		require.InDelta(t, time.Hour, settled.Seen.Sub(b.Events(id)[0].Time), float64(time.Minute))
	})
}

// A report that comes before the answer of the call it is about waits for it.
func TestAnEarlyReportWaitsForItsMessage(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", reporting)
		mail.Always(notifytest.SucceedWith(notify.Receipt{MessageID: "m-1"}).After(10 * time.Second))
		notify.Use(b.Notifier, mail, anHour)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Until(id, notify.Sending{})
		early := notify.Report{Provider: "mail", MessageID: "m-1", Event: notify.Delivered{}, At: time.Now().Add(time.Second)}
		b.Pass(time.Second)
		require.NoError(t, b.Notifier.Report(t.Context(), early))
		require.NoError(t, b.Notifier.Report(t.Context(), early), "twice")
		b.Require(id, notifytest.Never(notify.Delivered{}))

		b.Settle(id)
		b.Require(id,
			notifytest.State(notify.StateDelivered),
			notifytest.Sequence(notify.Sending{}, notify.Sent{MessageID: "m-1"}, notify.Delivered{}, notify.Settled{}),
			notifytest.Once(notify.Delivered{}),
			notifytest.At(10*time.Second, notify.Settled{State: notify.StateDelivered}),
		)
	})
}

// By its key a report is stored at once: the outcome is decided on all evidence.
func TestAReportDuringTheCall(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", reporting)
		mail.Always(notifytest.LoseAnswer().After(10 * time.Second))
		notify.Use(b.Notifier, mail, anHour)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Until(id, notify.Sending{})
		b.Rest() // the call comes after its event
		require.NoError(t, b.Notifier.Report(t.Context(), notify.Report{Key: mail.Keys()[0], Event: notify.Delivered{}}))
		b.Rest()
		b.Require(id, notifytest.Once(notify.Delivered{}), notifytest.Never(notify.Settled{}))
		b.Settle(id)
		b.Require(id, notifytest.State(notify.StateDelivered), notifytest.Never(notify.Unknown{}))
		require.Len(t, mail.Calls(), 1)
	})
}

func TestDuplicateReportsChangeNothing(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", reporting)
		notify.Use(b.Notifier, mail, anHour)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Until(id, notify.Sent{})
		for range 3 {
			report(t, b, mail, id, notify.Delivered{})
			b.Pass(time.Minute)
		}
		b.Settle(id)
		b.Require(id, notifytest.Once(notify.Delivered{}), notifytest.Never(notify.Corrected{}), notifytest.Once(notify.Settled{}))
	})
}

func TestALateReportCorrectsWhatHasSettled(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		text := notifytest.NewProvider[notify.SMS]("text", reporting)
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, text, anHour)
		notify.Use(b.Notifier, mail)
		id := b.Send(toAnna(notify.SMSChannel, notify.EmailChannel))
		b.Settle(id) // its receipt window has passed
		b.Pass(time.Hour)

		report(t, b, text, id, notify.Delivered{})
		b.Rest()
		b.Require(id, notifytest.Sequence(
			notify.Settled{State: notify.StateSent}, notify.Delivered{},
			notify.Corrected{From: notify.StateSent, To: notify.StateDelivered},
		))
		report(t, b, text, id, notify.Bounced{Soft: true})
		b.Rest()
		b.Require(id,
			notifytest.State(notify.StateBounced),
			notifytest.Sequence(notify.Bounced{}, notify.Corrected{From: notify.StateDelivered, To: notify.StateBounced}),
			notifytest.Count(2, notify.Corrected{}),
			notifytest.Once(notify.Settled{}),
		)
		for _, e := range b.Events(id) {
			if corrected, ok := e.Data.(notify.Corrected); ok {
				require.True(t, hasEvent(b.Events(id), corrected.Cause), "Corrected names its cause")
			}
		}
		require.Empty(t, mail.Calls(), "a bounce after Settled starts nothing")
		status, err := b.Notifier.Status(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateBounced, status.State)
		require.True(t, status.Settled)
	})
}

func hasEvent(events []notify.Event[any], id string) bool {
	for _, e := range events {
		if e.ID == id {
			return true
		}
	}
	return false
}

// A bounce overrules a delivery that was reported before, also before Settled.
func TestABounceAfterADeliveryBeforeSettled(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		text := notifytest.NewProvider[notify.SMS]("text", reporting)
		mail := notifytest.NewProvider[notify.Email]("mail", reporting)
		notify.Use(b.Notifier, text, anHour)
		notify.Use(b.Notifier, mail, anHour)
		nt := toAnna()
		nt.Route = notify.All(notify.SMSChannel, notify.EmailChannel)
		id := b.Send(nt)
		b.Until(id, notify.Sent{Attempt: notify.Attempt{Provider: "text"}})
		b.Until(id, notify.Sent{Attempt: notify.Attempt{Provider: "mail"}})
		report(t, b, text, id, notify.Delivered{})
		b.Rest()
		b.Require(id, notifytest.State(notify.StateDelivered), notifytest.Never(notify.Settled{}))
		report(t, b, text, id, notify.Bounced{})
		b.Rest()
		b.Require(id,
			notifytest.State(notify.StateSent), // the mail is
			notifytest.Once(notify.Corrected{From: notify.StateDelivered, To: notify.StateSent}),
		)
		b.Settle(id)
		b.Require(id, notifytest.Once(notify.Settled{State: notify.StateSent}))
	})
}

func TestEngagement(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		say := func(eventID string, event any) {
			t.Helper()
			require.NoError(t, b.Notifier.Report(t.Context(), notify.Report{
				Provider: "mail", MessageID: "mail-1", Event: event, EventID: eventID,
			}))
		}
		for range 2 {
			say("e-1", notify.Opened{Engagement: notify.Engagement{Machine: true}})
			say("e-2", notify.Opened{})
			say("e-3", notify.Clicked{Link: "order"})
			say("e-4", notify.Unsubscribed{Scope: "orders"})
			say("e-5", notify.Complained{})
			say("e-6", notify.Read{})
			say("e-7", notify.Archived{})
			say("e-8", notify.Replied{})
		}
		b.Rest()
		attempt := notify.Attempt{Leg: notify.Leg{Leg: 1, Channel: notify.EmailChannel}, Attempt: 1, Provider: "mail"}
		by := notify.Engagement{Attempt: attempt}
		hash := b.Notifier.AddressHash(notify.EmailChannel, "anna@example.com")
		require.NotEmpty(t, hash)
		b.Require(id,
			notifytest.State(notify.StateSent),
			notifytest.Count(2, notify.Opened{Engagement: by}),
			notifytest.Once(notify.Opened{Engagement: notify.Engagement{Machine: true}}),
			notifytest.Once(notify.Clicked{Engagement: by, Link: "order"}),
			notifytest.Once(notify.Unsubscribed{Engagement: by, Scope: "orders", AddressHash: hash}),
			notifytest.Once(notify.Complained{Engagement: by, AddressHash: hash}),
			notifytest.Once(notify.Read{Engagement: by}),
			notifytest.Once(notify.Archived{Engagement: by}),
			notifytest.Once(notify.Replied{Engagement: by}),
			notifytest.Never(notify.Corrected{}),
		)
	})
}

// What comes again when the record's history does not hold it any more is
// another event: no ID ever has two contents.
func TestEngagementComesAgainAfterItsHistory(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		say := func(eventID string, machine bool, at time.Time) {
			t.Helper()
			require.NoError(t, b.Notifier.Report(t.Context(), notify.Report{
				Provider: "mail", MessageID: "mail-1", EventID: eventID, At: at,
				Event: notify.Opened{Engagement: notify.Engagement{Machine: machine}},
			}))
		}
		noon := time.Now()
		say("first", false, noon)
		b.Pass(time.Second)
		say("first", true, time.Time{})
		b.Rest()
		b.Require(id, notifytest.Once(notify.Opened{}))
		for i := range 260 {
			say(fmt.Sprint("other ", i), false, noon)
		}
		say("first", true, time.Time{})
		b.Rest()
		b.Require(id, notifytest.Count(262, notify.Opened{}))
		contents := map[string]notify.Event[any]{}
		for _, e := range b.Events(id) {
			known, ok := contents[e.ID]
			require.False(t, ok, "%s is both %+v and %+v", e.ID, known, e)
			contents[e.ID] = e
		}
	})
}

func TestReportsThatAreWrong(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		say := func(r notify.Report) error { return b.Notifier.Report(t.Context(), r) }
		require.NoError(t, say(notify.Report{Key: mail.Keys()[0], Event: notify.Opened{}}))
		require.ErrorIs(t, say(notify.Report{Key: "no-such.1.1", Event: notify.Opened{}}), notify.ErrNotFound)
		require.ErrorIs(t, say(notify.Report{Key: id + ".1.2", Event: notify.Opened{}}), notify.ErrNotFound)
		require.ErrorIs(t, say(notify.Report{Key: id + ".2.1", Event: notify.Opened{}}), notify.ErrNotFound)
		require.ErrorContains(t, say(notify.Report{Key: id, Event: notify.Opened{}}), "Report.Key")
		require.ErrorContains(t, say(notify.Report{Event: notify.Opened{}}), "Provider and MessageID")
		require.ErrorContains(t, say(notify.Report{Key: mail.Keys()[0]}), "Report.Event")
		require.ErrorContains(t, say(notify.Report{Key: mail.Keys()[0], Event: notify.Settled{}}), "Report.Event")
		require.ErrorContains(t, say(notify.Report{Key: mail.Keys()[0], Event: &notify.Opened{}}), "by value")
	})
}
