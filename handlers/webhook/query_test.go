package webhook_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// What is wrong with a query of the ledger is named, all of it at once.
func TestBadAttemptQueries(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		query webhook.AttemptQuery
		want  []string
	}{
		{webhook.AttemptQuery{Limit: -1}, []string{"AttemptQuery.Limit"}},
		{webhook.AttemptQuery{Limit: 501}, []string{"AttemptQuery.Limit"}},
		{webhook.AttemptQuery{After: "0"}, []string{"AttemptQuery.After"}},
		{webhook.AttemptQuery{After: "-1"}, []string{"AttemptQuery.After"}},
		{webhook.AttemptQuery{After: "+1"}, []string{"AttemptQuery.After"}},
		{webhook.AttemptQuery{After: "1e3"}, []string{"AttemptQuery.After"}},
		{webhook.AttemptQuery{After: "9223372036854775808"}, []string{"AttemptQuery.After"}},
		{webhook.AttemptQuery{Limit: 501, After: "x"}, []string{"AttemptQuery.Limit", "AttemptQuery.After"}},
	} {
		_, _, err := tc.query.Resolve()
		var got []string
		for _, f := range notify.FieldErrors(err) {
			got = append(got, f.Field)
		}
		require.Equal(t, tc.want, got, "%+v", tc.query)
	}
}

// A cursor of the ledger is a number as we write it, or refused with its field.
func FuzzAttemptCursor(f *testing.F) {
	for _, text := range []string{"", "1", "9223372036854775807", "9223372036854775808", "01", "-1", "0x1", "1 ", "\u0661"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, before, err := webhook.AttemptQuery{EndpointID: "ep_1", After: text}.Resolve()
		if err != nil {
			found := notify.FieldErrors(err)
			require.Len(t, found, 1)
			require.Equal(t, "AttemptQuery.After", found[0].Field)
			return
		}
		require.Positive(t, before)
		if text != "" {
			require.Equal(t, text, strconv.FormatInt(before, 10))
		}
	})
}
