package logs_test

import (
	"log/slog"
	"time"

	"github.com/seed-6c01d079/notify"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// sample is an event with all its fields set, and what its record says beyond
// what all records do.
type sample struct {
	name  string
	data  any
	level slog.Level
	want  string // JSON
}

func samples() []sample {
	leg := notify.Leg{Leg: 2, Channel: notify.EmailChannel}
	attempt := notify.Attempt{Leg: leg, Attempt: 3, Provider: "smtp"}
	engaged := notify.Engagement{Attempt: attempt, Machine: true}
	busy := notify.Failure{Verdict: notify.VerdictTemporary, Class: notify.ClassService, Code: "451"}
	rejected := []notify.Rejected{{Channel: "sms", Reason: notify.RejectNoAddress}, {Channel: "chat", Reason: notify.RejectGuard}}
	const (
		info, warn, bad = slog.LevelInfo, slog.LevelWarn, slog.LevelError

		ofLeg     = `"leg":2,"channel":"email"`
		ofAttempt = ofLeg + `,"attempt":3,"provider":"smtp"`
		ofFailure = `"verdict":"temporary","class":"service","code":"451"`
	)
	return []sample{
		{
			"accepted",
			notify.Accepted{
				Route: notify.First(notify.PushChannel, notify.EmailChannel), Template: "shipped",
				NotBefore: noon, ExpiresAt: noon.Add(time.Hour), Urgent: true,
			},
			info,
			`"channels":["push","email"],"template":"shipped","not_before":"2026-03-14T12:00:00Z","expires_at":"2026-03-14T13:00:00Z","urgent":true`,
		},
		{
			"delayed",
			notify.Delayed{Leg: leg, Until: noon, Reason: notify.DelayGuard, Guard: "quiet_hours", GuardReason: "night"},
			info,
			ofLeg + `,"until":"2026-03-14T12:00:00Z","reason":"guard","guard":"quiet_hours","guard_reason":"night"`,
		},
		{
			"routed",
			notify.Routed{Plan: notify.First(notify.EmailChannel), Legs: []notify.Leg{leg}, Rejected: rejected},
			info,
			`"channels":["email"],"rejected":["sms:no_address","chat:guard"]`,
		},
		{
			"rendered",
			notify.Rendered{Leg: leg, Template: "shipped", Locale: "de-AT", Bytes: 4711},
			info,
			ofLeg + `,"template":"shipped","locale":"de-AT","bytes":4711`,
		},
		{"sending", notify.Sending{Attempt: attempt, Call: 2}, info, ofAttempt + `,"call":2`},
		{
			"sent",
			notify.Sent{Attempt: attempt, MessageID: "m_1", Code: "250", Cost: notify.Cost{Micros: 95, Currency: "EUR"}, Final: true},
			info,
			ofAttempt + `,"message_id":"m_1","code":"250","cost":{"micros":95,"currency":"EUR"},"final":true`,
		},
		{
			"retrying",
			notify.Retrying{Attempt: attempt, Failure: busy, Call: 2, SameAttempt: true, NextAt: noon},
			warn,
			ofAttempt + "," + ofFailure + `,"call":2,"same_attempt":true,"next_at":"2026-03-14T12:00:00Z"`,
		},
		{
			"failed_over",
			notify.FailedOver{
				From: attempt, To: notify.Attempt{Leg: notify.Leg{Leg: 4, Channel: "sms"}, Attempt: 1, Provider: "twilio"},
				Reason: notify.EndExhausted, Failure: busy,
			},
			warn,
			ofAttempt + `,"to":{"leg":4,"channel":"sms","attempt":1,"provider":"twilio"},"reason":"exhausted",` + ofFailure,
		},
		{"delivered", notify.Delivered{Attempt: attempt, MessageID: "m_1", Code: "2.1.5"}, info, ofAttempt + `,"message_id":"m_1","code":"2.1.5"`},
		{
			"undelivered",
			notify.Undelivered{Attempt: attempt, MessageID: "m_1", Class: notify.ClassPolicy, Code: "5.7.1"},
			warn,
			ofAttempt + `,"message_id":"m_1","class":"policy","code":"5.7.1"`,
		},
		{
			"bounced",
			notify.Bounced{Attempt: attempt, MessageID: "m_1", Class: notify.ClassAddress, Code: "5.2.2", Soft: true},
			warn,
			ofAttempt + `,"message_id":"m_1","class":"address","code":"5.2.2","soft":true`,
		},
		{"failed", notify.Failed{Attempt: attempt, Reason: notify.EndBudget, Failure: busy}, warn, ofAttempt + `,"reason":"budget",` + ofFailure},
		{"unknown", notify.Unknown{Attempt: attempt, Failure: busy}, warn, ofAttempt + `,` + ofFailure},
		{
			"undeliverable",
			notify.Undeliverable{Reason: notify.UndeliverableExhausted, Rejected: rejected, Failure: busy},
			bad,
			`"reason":"exhausted","rejected":["sms:no_address","chat:guard"],` + ofFailure,
		},
		{"suppressed", notify.Suppressed{Leg: leg, Guard: "consent", Reason: "none"}, info, ofLeg + `,"guard":"consent","reason":"none"`},
		{"canceled", notify.Canceled{InDoubt: true}, info, `"in_doubt":true`},
		{"expired", notify.Expired{Leg: leg, At: noon}, warn, ofLeg + `,"at":"2026-03-14T12:00:00Z"`},
		{
			"settled",
			notify.Settled{State: notify.StateSent, Attempts: 3, Calls: 5, Elapsed: 12.75},
			info,
			`"state":"sent","attempts":3,"calls":5,"elapsed_seconds":12.75`,
		},
		{
			"corrected",
			notify.Corrected{From: notify.StateSent, To: notify.StateBounced, Cause: "e_0"},
			warn,
			`"previous_state":"sent","state":"bounced","cause":"e_0"`,
		},

		{"opened", notify.Opened{Engagement: engaged}, info, ofAttempt + `,"machine":true`},
		{"clicked", notify.Clicked{Engagement: engaged, Link: "track"}, info, ofAttempt + `,"machine":true,"link":"track"`},
		{"read", notify.Read{Engagement: engaged}, info, ofAttempt + `,"machine":true`},
		{"archived", notify.Archived{Engagement: engaged}, info, ofAttempt + `,"machine":true`},
		{"replied", notify.Replied{Engagement: engaged}, info, ofAttempt + `,"machine":true`},
		{"complained", notify.Complained{Engagement: engaged, AddressHash: "h1:CANARY"}, warn, ofAttempt + `,"machine":true`},
		{"unsubscribed", notify.Unsubscribed{Engagement: engaged, Scope: "all"}, info, ofAttempt + `,"machine":true,"scope":"all"`},

		{
			"observer_failed",
			notify.ObserverFailed{Observer: "o", EventID: "e_0", EventType: "notify.sent.v1", Class: notify.ObserverPanicked},
			warn,
			`"observer":"o","failed_event_id":"e_0","failed_event_type":"notify.sent.v1","class":"panic"`,
		},
		{"observer_skipped", notify.ObserverSkipped{Observer: "o", From: 0, To: 7}, bad, `"observer":"o","from_position":0,"to_position":7`},
		{
			"dead_lettered",
			notify.DeadLettered{
				Observer: "o", EventID: "e_0", EventType: "notify.sent.v1", Class: notify.ObserverTimedOut, Attempts: 10, LetterID: "l_1",
			},
			bad,
			`"observer":"o","failed_event_id":"e_0","failed_event_type":"notify.sent.v1","class":"timeout","attempts":10,"letter_id":"l_1"`,
		},
		{
			"provider_down",
			notify.ProviderDown{Channel: "email", Provider: "smtp", Until: noon},
			bad,
			`"channel":"email","provider":"smtp","until":"2026-03-14T12:00:00Z"`,
		},
		{"provider_up", notify.ProviderUp{Channel: "email", Provider: "smtp"}, info, `"channel":"email","provider":"smtp"`},
		{"address_invalid", notify.AddressInvalid{Attempt: attempt, AddressHash: "h1:CANARY", Code: "550"}, warn, ofAttempt + `,"code":"550"`},
		{"stuck", notify.Stuck{State: notify.StateSending, Since: noon}, warn, `"state":"sending","since":"2026-03-14T12:00:00Z"`},
		{
			"stuck",
			notify.Stuck{State: notify.StateSending, Since: noon, Phase: notify.PhaseRetrying, Leg: 2, Channel: "sms"},
			warn,
			`"state":"sending","since":"2026-03-14T12:00:00Z","phase":"retrying","leg":2,"channel":"sms"`,
		},
	}
}

func about(name string, data any) notify.Event[any] {
	return notify.Event[any]{
		Envelope: notify.Envelope{
			ID: "e_1", Type: "notify." + name + ".v1", Source: "/shop", NotificationID: "n_1", RecipientID: "u_1",
			Tenant: "shop", Category: "shipping", Labels: map[string]string{"order": "A-1017", "note": "CANARY"},
			Time: noon, Seen: noon.Add(time.Second), CausationID: "e_0", Depth: 1,
			TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		},
		Data: data,
	}
}

const ofAll = `"notification_id":"n_1","recipient_id":"u_1","tenant":"shop","category":"shipping","event_id":"e_1",` +
	`"happened_at":"2026-03-14T12:00:00Z","caused_by":"e_0","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`
