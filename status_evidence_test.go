package notify

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEvidenceOf(t *testing.T) {
	t.Parallel()
	first := Attempt{Leg: Leg{Leg: 1, Channel: EmailChannel}, Attempt: 2, Provider: "smtp"}
	none := Attempt{Leg: Leg{Leg: 1}}
	for _, tc := range []struct {
		data any
		want evidence
	}{
		{Accepted{}, evidence{Kind: evidenceAccepted}},
		{Routed{}, evidence{Kind: evidenceRouted}},
		{Undeliverable{}, evidence{Kind: evidenceExhausted}},
		{Canceled{}, evidence{Kind: evidenceCanceled}},
		{Expired{}, evidence{Kind: evidenceExpired}},
		{Suppressed{}, evidence{Kind: evidenceSuppressed}},
		{Settled{}, evidence{Kind: evidenceSettled}},
		{Sending{Attempt: first}, evidence{Leg: 1, Attempt: 2, Kind: evidenceIntent}},
		{Retrying{Attempt: first}, evidence{Leg: 1, Attempt: 2, Kind: evidenceRejectedTemp}},
		{Unknown{Attempt: first}, evidence{Leg: 1, Attempt: 2, Kind: evidenceUnknown}},
		{Sent{Attempt: first}, evidence{Leg: 1, Attempt: 2, Kind: evidenceSent}},
		{Undelivered{Attempt: first}, evidence{Leg: 1, Attempt: 2, Kind: evidenceUndelivered}},
		{Delivered{Attempt: first}, evidence{Leg: 1, Attempt: 2, Kind: evidenceDelivered}},
		{Bounced{Attempt: first}, evidence{Leg: 1, Attempt: 2, Kind: evidenceBounced}},
		{Failed{Attempt: first, Reason: EndRejected}, evidence{Leg: 1, Attempt: 2, Kind: evidenceRejectedPerm}},
		{Failed{Attempt: first, Reason: EndExhausted}, evidence{Leg: 1, Attempt: 2, Kind: evidenceRejectedPerm}},
		{Failed{Attempt: first, Reason: EndBudget}, evidence{Leg: 1, Attempt: 2, Kind: evidenceRejectedPerm}},
		{FailedOver{From: first, To: none}, evidence{Leg: 1, Attempt: 2, Kind: evidenceRejectedPerm}},

		{Retrying{Attempt: first, SameAttempt: true}, evidence{}},
		{Failed{Attempt: first, Reason: EndBounced}, evidence{}},
		{Failed{Attempt: first, Reason: EndInDoubt}, evidence{}},
		{Failed{Attempt: none, Reason: EndRejected}, evidence{}},
		{FailedOver{From: none, To: none}, evidence{}},
		{FailedOver{From: first, To: Attempt{Leg: Leg{Leg: 2}}}, evidence{}},
		{Expired{Leg: first.Leg}, evidence{}},
		{Suppressed{Leg: first.Leg}, evidence{}},
		{Sent{Attempt: Attempt{Attempt: 1}}, evidence{}},
		{Sent{Attempt: none}, evidence{}},
		{Delayed{}, evidence{}},
		{Rendered{Leg: first.Leg}, evidence{}},
		{Corrected{}, evidence{}},
		{Opened{Engagement{Attempt: first}}, evidence{}},
		{Raw("{}"), evidence{}},
		{nil, evidence{}},
	} {
		e := Envelope{ID: "e1", Time: time.Unix(7, 0)}
		got, ok := evidenceOf(&e, tc.data)
		if tc.want.Kind != "" {
			tc.want.At, tc.want.EventID = e.Time, e.ID
		}
		require.Equal(t, tc.want, got, "%T%+v", tc.data, tc.data)
		require.Equal(t, tc.want.Kind != "", ok, "%T%+v", tc.data, tc.data)
	}
}

func TestJoinKeepsTheEarliest(t *testing.T) {
	t.Parallel()
	at := func(second int64, id string) evidence {
		return evidence{1, 1, evidenceSent, time.Unix(second, 0).UTC(), id}
	}
	for _, tc := range []struct {
		name        string
		have, joins evidence
		keeps       evidence
	}{
		{"the same", at(1, "b"), at(1, "b"), at(1, "b")},
		{"later", at(1, "b"), at(2, "a"), at(1, "b")},
		{"earlier", at(2, "a"), at(1, "b"), at(1, "b")},
		{"smaller ID", at(1, "b"), at(1, "a"), at(1, "a")},
		{"larger ID", at(1, "a"), at(1, "b"), at(1, "a")},
	} {
		set, changed := evidenceSet(nil).join(tc.have)
		require.True(t, changed)
		set, changed = set.join(tc.joins)
		require.Equal(t, evidenceSet{tc.keeps}, set, tc.name)
		require.Equal(t, tc.keeps != tc.have, changed, tc.name)
	}
}

func TestJoinNeverWritesIntoASharedSet(t *testing.T) {
	t.Parallel()
	shared := make(evidenceSet, 0, 16)
	shared = append(shared, evidence{1, 1, evidenceIntent, time.Unix(5, 0).UTC(), "a"})
	before := slices.Clone(shared[:cap(shared)])
	left, _ := shared.join(evidence{1, 1, evidenceSent, time.Unix(6, 0), "b"})
	right, _ := shared.join(evidence{1, 1, evidenceBounced, time.Unix(6, 0), "c"})
	_, changed := shared.join(evidence{1, 1, evidenceIntent, time.Unix(4, 0), "d"})
	require.True(t, changed)
	require.Equal(t, before, shared[:cap(shared)])
	require.Equal(t, evidenceSent, left.rank(1, 1))
	require.Equal(t, evidenceBounced, right.rank(1, 1))
}

func TestEvidenceSetIsSorted(t *testing.T) {
	t.Parallel()
	var set evidenceSet
	for _, e := range []evidence{
		{Leg: 2, Attempt: 1, Kind: evidenceIntent},
		{Leg: 1, Attempt: 2, Kind: evidenceIntent},
		{Leg: 1, Attempt: 1, Kind: evidenceBounced},
		{Leg: 1, Attempt: 1, Kind: evidenceRejectedPerm},
		{Leg: 1, Attempt: 1, Kind: "of a later version"},
		{Leg: 1, Attempt: 1, Kind: evidenceDelivered},
		{Kind: evidenceSettled},
		{Kind: evidenceAccepted},
	} {
		set, _ = set.join(e)
	}
	var kinds []evidenceKind
	for _, e := range set {
		kinds = append(kinds, e.Kind)
	}
	require.Equal(t, []evidenceKind{
		evidenceAccepted, evidenceSettled, "of a later version", evidenceRejectedPerm, evidenceDelivered,
		evidenceBounced, evidenceIntent, evidenceIntent,
	}, kinds)
	require.Equal(t, evidenceBounced, set.rank(1, 1))
	require.Equal(t, evidenceIntent, set.rank(2, 1))
	require.Empty(t, set.rank(3, 1))
	require.True(t, set.has(1, 1, evidenceDelivered))
	require.False(t, set.has(1, 1, evidenceSent))
	require.True(t, set.has(0, 0, evidenceSettled))

	written, err := json.Marshal(set)
	require.NoError(t, err)
	require.Contains(t, string(written), `[{"kind":"accepted"},`)
	require.Contains(t, string(written), `{"leg":1,"attempt":1,"kind":"bounced"}`)
	var read evidenceSet
	require.NoError(t, json.Unmarshal(written, &read))
	require.Equal(t, set, read)
}
