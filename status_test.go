package notify_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// events gives each of the facts an ID, and a minute after the one before.
func events(facts ...any) []notify.Event[any] {
	list := make([]notify.Event[any], len(facts))
	for i, fact := range facts {
		list[i] = notify.Event[any]{
			Envelope: notify.Envelope{
				ID: fmt.Sprint("e", i), NotificationID: "n1", RecipientID: "u1", Tenant: "t1", Category: "c1",
				Time: noon.Add(time.Duration(i) * time.Minute),
			},
			Data: fact,
		}
	}
	return list
}

func fold(facts ...any) *notify.Fold {
	var f notify.Fold
	for _, e := range events(facts...) {
		f.Add(e)
	}
	return &f
}

func attempt(leg, number int) notify.Attempt {
	return notify.Attempt{
		Leg: notify.Leg{Leg: leg, Channel: notify.EmailChannel}, Attempt: number, Provider: "smtp",
	}
}

func TestHeadline(t *testing.T) {
	t.Parallel()
	var (
		one, two    = attempt(1, 1), attempt(2, 1)
		sending     = notify.Sending{Attempt: one, Call: 1}
		temporary   = notify.Retrying{Attempt: one, Call: 1}
		unknown     = notify.Unknown{Attempt: one}
		sent        = notify.Sent{Attempt: one}
		delivered   = notify.Delivered{Attempt: one}
		undelivered = notify.Undelivered{Attempt: one}
		bounced     = notify.Bounced{Attempt: one}
		rejected    = notify.Failed{Attempt: one, Reason: notify.EndRejected}
		exhausted   = notify.Undeliverable{Reason: notify.UndeliverableExhausted}
		canceled    = notify.Canceled{}
		expired     = notify.Expired{}
		suppressed  = notify.Suppressed{}
		settled     = notify.Settled{}
	)
	for _, tc := range []struct {
		want  notify.State
		facts []any
	}{
		{"", nil},
		{"", []any{notify.Opened{}}},
		{notify.StateAccepted, []any{notify.Accepted{}}},
		{notify.StateRouted, []any{notify.Accepted{}, notify.Routed{}}},
		{notify.StateSending, []any{notify.Routed{}, sending}},
		{notify.StateSending, []any{sending, temporary}},
		{notify.StateSending, []any{sending, rejected}},
		{notify.StateSending, []any{sent, bounced}},
		{notify.StateSending, []any{sent, undelivered}},
		{notify.StateUnknown, []any{sending, unknown}},
		{notify.StateUnknown, []any{unknown, notify.Bounced{Attempt: two}, exhausted}},
		{notify.StateSent, []any{sent, notify.Unknown{Attempt: two}}},
		{notify.StateSent, []any{unknown, sent}},
		{notify.StateSent, []any{sent, canceled}},
		{notify.StateDelivered, []any{delivered, notify.Sent{Attempt: two}}},
		{notify.StateDelivered, []any{undelivered, delivered}},
		{notify.StateDelivered, []any{delivered, notify.Bounced{Attempt: two}, exhausted}},
		{notify.StateBounced, []any{delivered, bounced, exhausted}},
		{notify.StateBounced, []any{bounced, notify.Undelivered{Attempt: two}, canceled}},
		{notify.StateBounced, []any{sent, settled, bounced}},
		{notify.StateUndelivered, []any{undelivered, expired}},
		{notify.StateUndelivered, []any{sent, settled, undelivered}},
		{notify.StateFailed, []any{rejected, exhausted}},
		{notify.StateFailed, []any{rejected, canceled}},
		{notify.StateFailed, []any{exhausted}},
		{notify.StateFailed, []any{sending, exhausted}},
		{notify.StateCanceled, []any{sending, canceled, expired, suppressed}},
		{notify.StateExpired, []any{temporary, expired, suppressed}},
		{notify.StateSuppressed, []any{suppressed, settled}},
		{notify.StateSending, []any{sending, notify.Expired{Leg: one.Leg}, notify.Suppressed{Leg: one.Leg}}},
	} {
		f := fold(tc.facts...)
		require.Equal(t, tc.want, f.State(), "%+v", tc.facts)
		require.Equal(t, tc.want, f.Status().State, "%+v", tc.facts)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	push := notify.Leg{Leg: 1, Channel: notify.PushChannel}
	email := notify.Leg{Leg: 2, Channel: notify.EmailChannel}
	sms := notify.Leg{Leg: 3, Channel: notify.SMSChannel}
	fcm := func(n int) notify.Attempt { return notify.Attempt{Leg: push, Attempt: n, Provider: "fcm"} }
	smtp := notify.Attempt{Leg: email, Attempt: 1, Provider: "smtp"}
	busy := notify.Failure{Verdict: notify.VerdictTemporary, Class: notify.ClassService, Code: "503"}
	lost := notify.Failure{Verdict: notify.VerdictUncertain, Class: notify.ClassTimeout}
	gone := notify.Failure{Verdict: notify.VerdictPermanent, Class: notify.ClassAddress, Code: "UNREGISTERED"}
	f := fold(
		notify.Accepted{},
		notify.Routed{Legs: []notify.Leg{push, email, sms}},
		notify.Sending{Attempt: fcm(1), Call: 1},
		notify.Retrying{Attempt: fcm(1), Call: 1, Failure: busy},
		notify.Sending{Attempt: fcm(2), Call: 1},
		notify.Failed{Attempt: fcm(2), Reason: notify.EndRejected, Failure: gone},
		notify.FailedOver{From: fcm(2), To: notify.Attempt{Leg: email}, Reason: notify.EndRejected, Failure: gone},
		notify.Sending{Attempt: smtp, Call: 1},
		notify.Retrying{Attempt: smtp, Call: 1, Failure: lost, SameAttempt: true},
		notify.Sending{Attempt: smtp, Call: 2},
		notify.Sent{Attempt: smtp, MessageID: "m1", Final: true},
		notify.Settled{State: notify.StateSent},
		notify.Clicked{},
	)
	minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	want := notify.Status{
		NotificationID: "n1", RecipientID: "u1", Tenant: "t1", Category: "c1",
		State: notify.StateSent, Settled: true,
		AcceptedAt: noon, SettledAt: minute(11), UpdatedAt: minute(11),
		Legs: []notify.LegStatus{
			{Leg: push, Reason: notify.EndRejected, Attempts: []notify.AttemptStatus{
				{Attempt: 1, Provider: "fcm", State: notify.StateFailed, At: minute(3), Calls: 1, Failure: busy},
				{Attempt: 2, Provider: "fcm", State: notify.StateFailed, At: minute(5), Calls: 1, Failure: gone},
			}},
			{Leg: email, Attempts: []notify.AttemptStatus{
				{Attempt: 1, Provider: "smtp", State: notify.StateSent, At: minute(10), Calls: 2, MessageID: "m1"},
			}},
			{Leg: sms},
		},
	}
	require.Equal(t, want, f.Status())
	require.True(t, f.Settled())

	late := events(notify.Bounced{Attempt: smtp, Class: notify.ClassAddress, Code: "5.1.1"})[0]
	late.ID, late.Time = "late", minute(90)
	require.True(t, f.Add(late))
	require.False(t, f.Add(late))
	want.State, want.UpdatedAt = notify.StateBounced, minute(90)
	want.Legs[1].Attempts[0] = notify.AttemptStatus{
		Attempt: 1, Provider: "smtp", State: notify.StateBounced, At: minute(90), Calls: 2, MessageID: "m1",
		Failure: notify.Failure{Class: notify.ClassAddress, Code: "5.1.1"},
	}
	require.Equal(t, want, f.Status())
}

func TestWhyALegEnded(t *testing.T) {
	t.Parallel()
	one := attempt(1, 1)
	next := notify.Attempt{Leg: notify.Leg{Leg: 2}}
	for _, tc := range []struct {
		want  notify.EndReason
		facts []any
	}{
		{"", []any{notify.Sending{Attempt: one}}},
		{"", []any{notify.FailedOver{From: one, To: notify.Attempt{Leg: one.Leg}, Reason: notify.EndRejected}}},
		{notify.EndBudget, []any{notify.Failed{Attempt: one, Reason: notify.EndBudget}}},
		{notify.EndInDoubt, []any{notify.Unknown{Attempt: one}, notify.FailedOver{From: one, To: next, Reason: notify.EndInDoubt}}},
		{"", []any{notify.FailedOver{From: one, To: next, Reason: notify.EndInDoubt}, notify.Sent{Attempt: one}}},
		{notify.EndExpired, []any{notify.Expired{Leg: one.Leg}}},
		{notify.EndSuppressed, []any{notify.Suppressed{Leg: one.Leg}}},
		{notify.EndUndelivered, []any{notify.Undelivered{Attempt: one}, notify.Failed{Attempt: one, Reason: notify.EndUndelivered}}},
		{"", []any{notify.Failed{Attempt: one, Reason: notify.EndUndelivered}, notify.Delivered{Attempt: one}}},
	} {
		require.Equal(t, tc.want, fold(tc.facts...).Status().Legs[0].Reason, "%+v", tc.facts)
	}
}

func TestFoldPassesOverWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	var f notify.Fold
	all := events(notify.Accepted{}, notify.Canceled{}, notify.ProviderUp{}, notify.Raw("{}"), &notify.Canceled{})
	require.True(t, f.Add(all[0]))
	all[1].NotificationID = "n2"
	all[2].NotificationID = ""
	for _, e := range all[1:] {
		require.False(t, f.Add(e))
	}
	require.Equal(t, notify.Status{
		NotificationID: "n1", RecipientID: "u1", Tenant: "t1", Category: "c1",
		State: notify.StateAccepted, AcceptedAt: noon, UpdatedAt: noon,
	}, f.Status())
}

func TestStatusOfNothing(t *testing.T) {
	t.Parallel()
	var f notify.Fold
	require.Empty(t, f.State())
	require.False(t, f.Settled())
	require.Equal(t, notify.Status{}, f.Status())
}

func TestStatusSharesNothing(t *testing.T) {
	t.Parallel()
	f := fold(notify.Sent{Attempt: attempt(1, 1)})
	status := f.Status()
	status.Legs[0].Attempts[0].MessageID = "changed"
	status.Legs[0].Reason = notify.EndCanceled
	require.NotEqual(t, status, f.Status())
}

func TestStatusJSON(t *testing.T) {
	t.Parallel()
	written, err := json.Marshal(fold(
		notify.Accepted{},
		notify.Undelivered{Attempt: attempt(1, 2), MessageID: "m1", Class: notify.ClassPolicy},
		notify.Failed{Attempt: attempt(1, 2), Reason: notify.EndUndelivered},
		notify.Undeliverable{}, notify.Settled{},
	).Status())
	require.NoError(t, err)
	require.JSONEq(t, `{
		"notification_id": "n1", "recipient_id": "u1", "tenant": "t1", "category": "c1",
		"state": "undelivered", "settled": true,
		"accepted_at": "2026-01-01T12:00:00Z", "settled_at": "2026-01-01T12:04:00Z", "updated_at": "2026-01-01T12:04:00Z",
		"legs": [{
			"leg": 1, "channel": "email", "reason": "undelivered",
			"attempts": [{
				"attempt": 2, "provider": "smtp", "state": "undelivered", "at": "2026-01-01T12:01:00Z",
				"calls": 1, "message_id": "m1", "failure": {"class": "policy"}
			}]
		}]
	}`, string(written))
}

// A read view keeps a Fold for each notification. The order in which the
// events come does not matter.
func ExampleFold() {
	email := notify.Attempt{Leg: notify.Leg{Leg: 1, Channel: notify.EmailChannel}, Attempt: 1, Provider: "smtp"}
	about := notify.Envelope{NotificationID: "n1", Time: time.Now()}
	folds := map[string]*notify.Fold{}
	see := func(id string, data any) {
		e := notify.Event[any]{Envelope: about, Data: data}
		e.ID = id
		f, found := folds[e.NotificationID]
		if !found {
			f = &notify.Fold{}
			folds[e.NotificationID] = f
		}
		changed := f.Add(e)
		fmt.Println(changed, f.State())
	}
	see("n1-accepted", notify.Accepted{})
	see("n1-1-1-delivered", notify.Delivered{Attempt: email})
	see("n1-1-1-sent", notify.Sent{Attempt: email})
	see("n1-1-1-delivered", notify.Delivered{Attempt: email})
	// Output:
	// true accepted
	// true delivered
	// true delivered
	// false delivered
}
