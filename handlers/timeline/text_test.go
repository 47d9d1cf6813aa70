package timeline_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

func TestEveryEventHasItsLine(t *testing.T) {
	t.Parallel()
	at := noon.Add(time.Hour)
	again := notify.Attempt{Leg: email, Attempt: 2, Provider: "smtp"}
	busy := notify.Failure{Verdict: notify.VerdictTemporary, Class: notify.ClassService, Code: "451"}
	rejected := []notify.Rejected{{Channel: "sms", Reason: notify.RejectNoAddress}, {Channel: "push", Reason: notify.RejectGuard}}
	engaged := notify.Engagement{Attempt: smtp, Machine: true}
	for _, tc := range []struct {
		name string
		data any
		want string
	}{
		{"accepted", notify.Accepted{}, "accepted"},
		{
			"accepted",
			notify.Accepted{Route: notify.First(notify.PushChannel, notify.EmailChannel), Template: "shipped", NotBefore: at},
			"accepted  push, email, shipped, not before 2026-03-14T13:00:00Z",
		},
		{"delayed", notify.Delayed{Until: at, Reason: notify.DelayScheduled}, "delayed  scheduled, until 2026-03-14T13:00:00Z"},
		{
			"delayed",
			notify.Delayed{Leg: email, Until: at, Reason: notify.DelayGuard, Guard: "quiet", GuardReason: "night"},
			"delayed  email  guard, quiet, night, until 2026-03-14T13:00:00Z",
		},
		{"routed", notify.Routed{Legs: []notify.Leg{email}, Rejected: rejected}, "routed  email, not sms (no_address), not push (guard)"},
		{"rendered", notify.Rendered{Leg: email, Template: "shipped", Locale: "de", Bytes: 90}, "rendered  email  shipped, de, 90 bytes"},
		{"sending", notify.Sending{Attempt: smtp, Call: 1}, "sending  email/smtp #1"},
		{"sending", notify.Sending{Attempt: smtp, Call: 3}, "sending  email/smtp #1  call 3"},
		{"sent", notify.Sent{Attempt: smtp, MessageID: "m_1", Code: "250"}, "sent  email/smtp #1  m_1, 250"},
		{
			"retrying",
			notify.Retrying{Attempt: smtp, Failure: busy, Call: 1, NextAt: at},
			"retrying  email/smtp #1  temporary service, 451, again at 2026-03-14T13:00:00Z",
		},
		{
			"failed_over",
			notify.FailedOver{From: smtp, To: again, Reason: notify.EndRejected, Failure: busy},
			"failed_over  email/smtp #1  to email/smtp #2, rejected, temporary service, 451",
		},
		{
			"failed_over",
			notify.FailedOver{To: notify.Attempt{Leg: email}, Reason: notify.EndUnavailable},
			"failed_over    to email, unavailable",
		},
		{"failed", notify.Failed{Attempt: smtp, Reason: notify.EndExhausted, Failure: busy}, "failed  email/smtp #1  exhausted, temporary service, 451"},
		{"unknown", notify.Unknown{Attempt: smtp, Failure: busy}, "unknown  email/smtp #1  temporary service, 451"},
		{"delivered", notify.Delivered{Attempt: smtp, Code: "2.1.5"}, "delivered  email/smtp #1  2.1.5"},
		{"undelivered", notify.Undelivered{Attempt: smtp, Class: notify.ClassPolicy}, "undelivered  email/smtp #1  policy"},
		{"bounced", notify.Bounced{Attempt: smtp, Class: notify.ClassAddress, Code: "5.2.2", Soft: true}, "bounced  email/smtp #1  address, 5.2.2, soft"},
		{"undeliverable", notify.Undeliverable{Reason: notify.UndeliverableNoRoute, Rejected: rejected[:1]}, "undeliverable  no_route, not sms (no_address)"},
		{"suppressed", notify.Suppressed{Guard: "consent", Reason: "none"}, "suppressed  consent, none"},
		{"canceled", notify.Canceled{}, "canceled"},
		{"canceled", notify.Canceled{InDoubt: true}, "canceled  a call was unanswered"},
		{"expired", notify.Expired{Leg: email, At: at}, "expired  email"},
		{"settled", notify.Settled{State: notify.StateSent, Attempts: 2, Calls: 3}, "settled  sent, attempts: 2, calls: 3"},
		{"corrected", notify.Corrected{From: notify.StateSent, To: notify.StateBounced}, "corrected  from sent to bounced"},
		{"address_invalid", notify.AddressInvalid{Attempt: smtp, Code: "550"}, "address_invalid  email/smtp #1  550"},
		{"stuck", notify.Stuck{State: notify.StateSending, Since: at}, "stuck  sending, since 2026-03-14T13:00:00Z"},
		{
			"stuck",
			notify.Stuck{State: notify.StateSending, Since: at, Phase: notify.PhaseRetrying, Leg: 1, Channel: notify.EmailChannel},
			"stuck  sending, retrying, email, since 2026-03-14T13:00:00Z",
		},
		{"opened", notify.Opened{Engagement: engaged}, "opened  email/smtp #1  by a machine"},
		{"clicked", notify.Clicked{Engagement: engaged, Link: "track"}, "clicked  email/smtp #1  track, by a machine"},
		{"read", notify.Read{Engagement: notify.Engagement{Attempt: smtp}}, "read  email/smtp #1"},
		{"unsubscribed", notify.Unsubscribed{Scope: "shipping"}, "unsubscribed  shipping"},
		{"renamed", notify.Raw(`{"secret":1}`), "renamed"},
	} {
		e := timeline.NewEntry(event("n_1", tc.name, 0, tc.data))
		lines := text(t, e)
		require.Len(t, lines, 2)
		// Cells that are empty take no room, as no other line is there.
		require.Equal(t, strings.Fields(tc.want), strings.Fields(strings.TrimPrefix(lines[1], "  +0s")), "%+v", tc.data)
	}
}

func text(t *testing.T, e timeline.Entry) []string {
	t.Helper()
	var written bytes.Buffer
	count, err := e.WriteTo(&written)
	require.NoError(t, err)
	require.EqualValues(t, written.Len(), count)
	return strings.Split(strings.TrimSuffix(written.String(), "\n"), "\n")
}

func TestTextIsAligned(t *testing.T) {
	t.Parallel()
	hosts := event("n_1", "paid", 90*time.Minute+400*time.Millisecond, struct{}{})
	hosts.Type = "shop.order_paid.v1"
	e := timeline.NewEntry(
		accepted("n_1", 0),
		event("n_1", "sending", -3*time.Millisecond, notify.Sending{Attempt: smtp}),
		event("n_1", "sent", 2345678*time.Microsecond, notify.Sent{Attempt: smtp, MessageID: "m_1"}),
		hosts,
		event("n_1", "settled", 100*time.Microsecond, notify.Settled{State: notify.StateSent, Attempts: 2, Calls: 2}),
	)
	e.Truncated = true
	require.Equal(t, []string{
		"n_1 to u_1: sent, settled",
		"  +0s       accepted",
		"  -3ms      sending             email/smtp #1",
		"  +2.3s     sent                email/smtp #1  m_1",
		"  +1h30m0s  shop.order_paid.v1",
		"  +0s       settled                            sent, attempts: 2, calls: 2",
		"  some events were left out",
	}, text(t, e))
}

func TestTextDoesNotSteerATerminal(t *testing.T) {
	t.Parallel()
	sent := event("n_1", "sent", 0, notify.Sent{Attempt: smtp, MessageID: "m\x1b[31m\t\r\n\u202e1"})
	sent.RecipientID = "u\n1"
	require.Equal(t, []string{
		"n_1 to u?1: sent",
		"  +0s  sent  email/smtp #1  m?[31m????1",
	}, text(t, timeline.NewEntry(sent)))
}

func TestWriteToReportsItsError(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	_, err := timeline.NewEntry(accepted("n_1", 0)).WriteTo(writerFunc(func([]byte) (int, error) { return 0, full }))
	require.ErrorIs(t, err, full)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
