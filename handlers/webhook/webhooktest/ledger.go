package webhooktest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

func checkLedger(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"), endpoint("ep_2"))
	add(t, s, "m_1", "m_2")
	var want []webhook.Attempt
	note := func(minute int, failure webhook.Failure, again int) {
		for _, c := range claim(t, s, minute, 1) {
			if c.Status.ID != "ep_1" {
				succeed(t, s, c, minute)
				continue
			}
			a := attempt(c, minute, failure)
			o := webhook.Outcome{Attempt: a}
			if again > 0 {
				o.Next, o.Attempt.Next = at(again), at(again)
			}
			want = append(want, o.Attempt)
			require.NoError(t, s.Finish(t.Context(), c, o))
		}
	}
	for minute := range 30 {
		switch {
		case minute%7 == 6:
			note(minute+2, "", 0)
			add(t, s, "m_"+string(rune('a'+minute)))
		default:
			note(minute+2, webhook.FailureTimeout, minute+3)
		}
	}
	require.Greater(t, len(want), 10)
	slices.Reverse(want)
	read := func(q webhook.AttemptQuery) []webhook.Attempt {
		var got []webhook.Attempt
		for q.EndpointID = "ep_1"; ; {
			page, err := s.Attempts(t.Context(), q)
			require.NoError(t, err)
			for _, a := range page.Attempts {
				a.At = a.At.UTC()
				if !a.Next.IsZero() {
					a.Next = a.Next.UTC()
				} else {
					a.Next = time.Time{}
				}
				got = append(got, a)
			}
			if q.After = page.Next; q.After == "" {
				return got
			}
			require.Len(t, page.Attempts, q.Limit)
		}
	}
	only := func(keep func(webhook.Attempt) bool) []webhook.Attempt {
		return slices.DeleteFunc(slices.Clone(want), func(a webhook.Attempt) bool { return !keep(a) })
	}
	failures := only(func(a webhook.Attempt) bool { return !a.Succeeded() })
	first := only(func(a webhook.Attempt) bool { return a.MessageID == "m_1" })
	require.NotEmpty(t, first)
	require.Less(t, len(failures), len(want))
	for _, limit := range []int{0, 1, 3, len(want), 500} {
		require.Equal(t, want, read(webhook.AttemptQuery{Limit: limit}))
		require.Equal(t, failures, read(webhook.AttemptQuery{Limit: limit, Failed: true}))
		require.Equal(t, first, read(webhook.AttemptQuery{Limit: limit, MessageID: "m_1"}))
	}
}
