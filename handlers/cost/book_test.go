package cost_test

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
)

const document = `{
  "currency": "EUR",
  "messages": [
    {"channel": "email", "per_message": "0.0001"},
    {"channel": "sms", "provider": "twilio", "country": "DE", "from": "2026-04-01T00:00:00Z", "per_segment": "0.0798"},
    {"channel": "sms", "currency": "USD", "per_message": "0.01", "per_segment": "0.02"}
  ],
  "observers": [{"observer": "webhook", "per_invocation": "0.0000002", "per_second": "0.0000166667"}]
}`

func TestReadBook(t *testing.T) {
	t.Parallel()
	b, err := cost.ReadBook(strings.NewReader(document))
	require.NoError(t, err)
	require.Equal(t, cost.Book{
		Currency: "EUR",
		Messages: []cost.MessagePrice{
			{Channel: notify.EmailChannel, PerMessage: 100 * cost.Micro},
			{Channel: notify.SMSChannel, Provider: "twilio", Country: "DE", From: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), PerSegment: 79_800 * cost.Micro},
			{Channel: notify.SMSChannel, Currency: "USD", PerMessage: 10 * cost.Milli, PerSegment: 20 * cost.Milli},
		},
		Observers: []cost.ObserverPrice{{Observer: "webhook", PerInvocation: cost.Micro / 5, PerSecond: 16_666_700}},
	}, b)
	text, err := json.Marshal(b)
	require.NoError(t, err)
	again, err := cost.ReadBook(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Equal(t, b, again)
}

// Everything that is wrong is told at once, with the field.
func TestABookThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := cost.ReadBook(strings.NewReader(`{
	  "currency": "euro", "colour": 1,
	  "messages": [
	    {"channel": "SMS", "country": "Germany", "per_segment": "-1"},
	    {"provider": "a b", "currency": "eur", "per_message": 0.5, "per_message": "1"},
	    {"channel": "sms", "from": "tomorrow", "per_message": "0.0000000000001"},
	    {"channel": "email"}, {"channel": "email", "per_message": "1"}, null
	  ],
	  "observers": [{"per_second": "2000000"}, {"observer": "a b", "per_second": null}, {}, 7]
	}`))
	fields := map[string]int{}
	for _, problem := range notify.FieldErrors(err) {
		fields[problem.Field]++
	}
	for _, field := range []string{
		"Book", "Book.Currency", "Book.Messages[0].Channel", "Book.Messages[0].Country", "Book.Messages[0].PerSegment",
		"Book.Messages[1]", "Book.Messages[1].Channel", "Book.Messages[1].Provider", "Book.Messages[1].Currency", "Book.Messages[1].PerMessage",
		"Book.Messages[2].From", "Book.Messages[2].PerMessage", "Book.Messages[4]", "Book.Messages[5]",
		"Book.Observers[0].PerSecond", "Book.Observers[1].Observer", "Book.Observers[1].PerSecond", "Book.Observers[2]", "Book.Observers[3]",
	} {
		require.Equal(t, 1, fields[field], field)
	}
	for name, document := range map[string]string{
		"nothing": "", "no object": "[]", "cut": `{"currency": "EUR"`, "more": "{} {}", "null": "null", "names in other case": `{"Currency": "EUR"}`,
		"no UTF-8": "{\"currency\": \"\xff\"}", "lists": `{"messages": {}}`, "too long": `{"currency": "` + strings.Repeat("E", 33<<20) + `"}`,
		"a key that is no string": `{1: 2}`,
	} {
		_, err := cost.ReadBook(strings.NewReader(document))
		require.NotEmpty(t, notify.FieldErrors(err), name)
		require.Less(t, len(err.Error()), 500, name)
	}
	b := cost.Book{Messages: make([]cost.MessagePrice, 100_001), Observers: make([]cost.ObserverPrice, 10_001)}
	require.Len(t, notify.FieldErrors(b.Check()), 2)
	require.NoError(t, (&cost.Book{}).Check())
}

// However much is wrong, finding out takes no more than the document is worth.
func TestABookThatIsHostile(t *testing.T) {
	for name, document := range map[string]string{
		"prices":  `{"messages":[` + strings.Repeat("{},", 99_999) + `{}]}`,
		"numbers": `{"messages":[` + strings.Repeat("0,", 1_000_000) + `0]}`,
		"members": `{"a":0` + strings.Repeat(`,"a":0`, 300_000) + `}`,
		"names":   `{` + manyNames(200_000) + `"a":0}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := cost.ReadBook(strings.NewReader(document))
		runtime.ReadMemStats(&after)
		found := notify.FieldErrors(err)
		require.NotEmpty(t, found, name)
		require.LessOrEqual(t, len(found), 1000, name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(300<<20), name)
	}
}

func manyNames(n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, `"%x":0,`, i)
	}
	return all.String()
}

func TestPrice(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]cost.Price{
		"0": 0, "1": cost.Unit, "0.0798": 79_800 * cost.Micro, "0.000000000001": 1, "1000000": 1_000_000 * cost.Unit, "12.5": 12*cost.Unit + cost.Unit/2,
	} {
		got, err := cost.ParsePrice(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		require.Equal(t, text, got.String())
	}
	for _, text := range []string{"", ".5", "5.", "-1", "+1", "1e3", "01", "0,5", "1000000.000000000001", "10000000", "0.0000000000001", " 1", "1.2.3", "٣"} {
		_, err := cost.ParsePrice(text)
		require.Error(t, err, text)
	}
	require.Equal(t, "-0.5", (-cost.Unit / 2).String())
	require.Equal(t, "-9223372.036854775808", cost.Price(math.MinInt64).String())
	require.Equal(t, "9223372.036854775807", cost.Price(math.MaxInt64).String())
}

// Of several prices the one in the most words stands, and of those the latest.
func TestWhichPrice(t *testing.T) {
	t.Parallel()
	from := func(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
	b := cost.Book{Currency: "EUR", Messages: []cost.MessagePrice{
		{Channel: "sms", PerMessage: 1 * cost.Micro},
		{Channel: "sms", Country: "DE", PerMessage: 2 * cost.Micro},
		{Channel: "sms", Provider: "one", PerMessage: 3 * cost.Micro},
		{Channel: "sms", Provider: "one", Country: "DE", From: from(2027), PerMessage: 5 * cost.Micro},
		{Channel: "sms", Provider: "one", Country: "DE", From: from(2026), PerMessage: 4 * cost.Micro},
	}}
	require.NoError(t, b.Check())
	for _, tc := range []struct {
		provider, country string
		year              int
		want              int64
	}{
		{"two", "AT", 2026, 1},
		{"two", "", 2026, 1},
		{"two", "DE", 2026, 2},
		{"one", "AT", 2026, 3},
		{"one", "DE", 2025, 3},
		{"one", "DE", 2026, 4},
		{"one", "DE", 2027, 5},
		{"one", "DE", 2040, 5},
	} {
		require.Equal(t, tc.want, cost.PriceOf(b, "sms", tc.provider, tc.country, from(tc.year)), "%+v", tc)
	}
	require.EqualValues(t, -1, cost.PriceOf(b, "email", "one", "", from(2026)))
}

// Whatever a book says, it is refused with the field, or comes back as it was.
func FuzzReadBook(f *testing.F) {
	f.Add(document)
	f.Add(`{"messages":[{"channel":"sms","per_message":"0.1","per_message":"0.2"}],"observers":[null]}`)
	f.Add(`{"currency":"EUR","currency":"\ud800","observers":[{"observer":"","per_second":"1000000.0"}]}`)
	f.Add(`{"messages":[{"channel":"sms","from":"9999-12-31T23:59:59.999999999+23:59","currency":"EUR"}]} `)
	f.Fuzz(func(t *testing.T, document string) {
		b, err := cost.ReadBook(strings.NewReader(document))
		if err != nil {
			require.NotEmpty(t, notify.FieldErrors(err))
			return
		}
		require.NoError(t, b.Check())
		text, err := json.Marshal(b)
		require.NoError(t, err)
		again, err := cost.ReadBook(strings.NewReader(string(text)))
		require.NoError(t, err, string(text))
		second, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(second))
	})
}

// Amounts are exact until they are rounded, once, also where an int64 does not
// hold what comes in between; no entry has more than a billion units.
func TestRounding(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		p           cost.ObserverPrice
		invocations int64
		took        time.Duration
		want        int64
	}{
		{cost.ObserverPrice{PerInvocation: cost.Micro / 2}, 1, 0, 1},
		{cost.ObserverPrice{PerInvocation: cost.Micro/2 - 1}, 1, 0, 0},
		{cost.ObserverPrice{PerInvocation: cost.Micro / 2}, 3, 0, 2},
		{cost.ObserverPrice{PerInvocation: cost.Micro / 5}, 1_000_000_000_000, 0, 200_000_000_000},
		{cost.ObserverPrice{PerSecond: 16_666_700}, 1, time.Hour, 60_000},
		{cost.ObserverPrice{PerInvocation: 250_000, PerSecond: 1 * cost.Micro}, 1, 250 * time.Millisecond, 1},
		{cost.ObserverPrice{PerInvocation: 250_000, PerSecond: 1 * cost.Micro}, 1, 250*time.Millisecond - 1, 0},
		{cost.ObserverPrice{PerSecond: 1_000_000 * cost.Unit}, 1, time.Millisecond, 1_000_000_000},
		{cost.ObserverPrice{PerSecond: 1_000_000 * cost.Unit}, 1, 1<<63 - 1, 1_000_000_000_000_000},
		{cost.ObserverPrice{PerInvocation: 1_000_000 * cost.Unit}, 1<<63 - 1, 0, 1_000_000_000_000_000},
	} {
		require.Equal(t, tc.want, cost.UsedBy(tc.p, tc.invocations, tc.took), "%+v", tc)
	}
	dear := cost.MessagePrice{Channel: "sms", PerMessage: 1_000_000 * cost.Unit, PerSegment: 1_000_000 * cost.Unit}
	b := cost.Book{Currency: "EUR", Messages: []cost.MessagePrice{dear}}
	require.EqualValues(t, 2_000_000_000_000, cost.PriceOf(b, "sms", "", "", time.Time{}))
}
