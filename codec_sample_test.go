package notify

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// samples holds one event of each kind, every field set.
func samples() []any {
	happened := time.Date(2026, 3, 14, 9, 26, 53, 589793238, time.UTC)
	push := Leg{Leg: 1, Channel: PushChannel}
	email := Leg{Leg: 2, Channel: EmailChannel}
	attempt := Attempt{Leg: email, Attempt: 2, Provider: "smtp"}
	engagement := Engagement{Attempt: attempt, Machine: true}
	rejected := []Rejected{{SMSChannel, RejectNoAddress}, {ChatChannel, RejectNoProvider}}
	return []any{
		Accepted{
			Route:     First(PushChannel, All(EmailChannel, SMSChannel)).OnDoubt(),
			Template:  "order_shipped",
			NotBefore: happened.Add(time.Hour),
			ExpiresAt: happened.Add(72 * time.Hour),
			Urgent:    true,
		},
		Delayed{
			Leg: email, Until: happened.Add(8 * time.Hour), Reason: DelayGuard,
			Guard: "quiet_hours", GuardReason: "night",
		},
		Routed{Plan: First(PushChannel, EmailChannel), Legs: []Leg{push, email}, Rejected: rejected},
		Rendered{Leg: email, Template: "order_shipped", Locale: "de-AT", Bytes: 4711},
		Sending{Attempt: attempt, Call: 3},
		Sent{
			Attempt: attempt, MessageID: "0102018f3c2a-7d1e", Code: "250 2.0.0",
			Cost: Cost{Micros: 95, Currency: "EUR"}, Country: "AT", Segments: 2, Final: true,
		},
		Retrying{
			Attempt: attempt,
			Failure: Failure{VerdictThrottled, ClassThrottle, "421 4.7.0"},
			Call:    3, SameAttempt: true, NextAt: happened.Add(4 * time.Second),
		},
		FailedOver{
			From:    Attempt{Leg: push, Attempt: 4, Provider: "fcm"},
			To:      Attempt{Leg: email, Attempt: 1, Provider: "smtp"},
			Reason:  EndRejected,
			Failure: Failure{VerdictPermanent, ClassAddress, "UNREGISTERED"},
		},
		Delivered{Attempt: attempt, MessageID: "0102018f3c2a-7d1e", Code: "2.1.5", Cost: Cost{Micros: 79_800, Currency: "USD"}},
		Undelivered{Attempt: attempt, MessageID: "0102018f3c2a-7d1e", Class: ClassPolicy, Code: "5.7.1", Cost: Cost{Micros: 79_800, Currency: "USD"}},
		Bounced{Attempt: attempt, MessageID: "0102018f3c2a-7d1e", Class: ClassAddress, Code: "5.2.2", Soft: true},
		Failed{Attempt: attempt, Reason: EndExhausted, Failure: Failure{VerdictTemporary, ClassService, "451 4.3.0"}},
		Unknown{Attempt: attempt, Failure: Failure{VerdictUncertain, ClassTimeout, "timeout"}},
		Undeliverable{
			Reason: UndeliverableExhausted, Rejected: rejected,
			Failure: Failure{VerdictPermanent, ClassContent, "552 5.3.4"},
		},
		Suppressed{Leg: email, Guard: "consent", Reason: "no_marketing"},
		Canceled{InDoubt: true},
		Expired{Leg: email, At: happened.Add(-time.Second)},
		Settled{State: StateDelivered, Attempts: 3, Calls: 5, Elapsed: 12.75},
		Corrected{From: StateDelivered, To: StateBounced, Cause: "01JPA3X2M4-2-2-bounced"},

		Opened{engagement},
		Clicked{Engagement: engagement, Link: "track_parcel"},
		Read{engagement},
		Archived{engagement},
		Replied{engagement},
		Complained{engagement, "h1:6Yl3Vw0Qb8dT"},
		Unsubscribed{Engagement: engagement, Scope: "shipping", AddressHash: "h1:6Yl3Vw0Qb8dT"},

		ObserverFailed{
			Observer: "receipts", EventID: "01JPA3X2M4-2-2-sent", EventType: "notify.sent.v1",
			Class: ObserverTimedOut,
		},
		ObserverSkipped{Observer: "receipts", From: 1024, To: 4096},
		DeadLettered{
			Observer: "receipts", EventID: "01JPA3X2M4-2-2-sent", EventType: "notify.sent.v1",
			Class: ObserverPanicked, Attempts: 6, LetterID: "01JPA3ZV77",
		},
		ProviderDown{Channel: EmailChannel, Provider: "smtp", Until: happened.Add(30 * time.Second)},
		ProviderUp{Channel: EmailChannel, Provider: "smtp"},
		AddressInvalid{Attempt: attempt, AddressHash: "h1:6Yl3Vw0Qb8dT", Code: "550 5.1.1"},
		Stuck{State: StateSending, Since: happened.Add(-6 * time.Hour), Phase: PhaseSending, Leg: 1, Channel: EmailChannel},
	}
}

func sampleEnvelope(name string) Envelope {
	return Envelope{
		ID:             "01JPA3X2M4-2-2-" + name,
		Type:           "notify." + name + ".v1",
		Source:         "/shop/notify",
		NotificationID: "01JPA3X2M4",
		RecipientID:    "u_42",
		Tenant:         "Zoë & Söhne",
		Category:       "shipping",
		Labels:         map[string]string{"order": "A-1017", "shop": "Graz <1>"},
		Time:           time.Date(2026, 3, 14, 9, 26, 53, 589793238, time.UTC),
		Seen:           time.Date(2026, 3, 14, 9, 27, 1, 5000, time.UTC),
		CausationID:    "01JPA3X2M4-2-2-sending",
		Depth:          2,
		TraceParent:    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		TraceState:     "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7",
	}
}

func sampleFact(t *testing.T, c *codec, data any) *fact {
	t.Helper()
	return newFact(c, sampleEnvelope(snakeCase(reflect.TypeOf(data).Name())), data)
}

func TestSamplesLackNoField(t *testing.T) {
	t.Parallel()
	sampled := map[reflect.Type]bool{}
	for _, sample := range samples() {
		sampled[reflect.TypeOf(sample)] = true
		requireSet(t, reflect.TypeOf(sample).Name(), reflect.ValueOf(sample))
	}
	for name, kind := range builtinTypes(nil).byName {
		require.True(t, sampled[kind.event], "%s has no sample", name)
	}
	requireSet(t, "Envelope", reflect.ValueOf(sampleEnvelope("sent")))
}

func requireSet(t *testing.T, path string, value reflect.Value) {
	t.Helper()
	require.False(t, value.IsZero(), "%s is not set", path)
	switch value.Interface().(type) {
	case time.Time, Route:
		return
	}
	switch value.Kind() {
	case reflect.Struct:
		for i := range value.NumField() {
			requireSet(t, path+"."+value.Type().Field(i).Name, value.Field(i))
		}
	case reflect.Slice:
		requireSet(t, path+"[0]", value.Index(0))
	}
}
