package suppression_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/suppression"
)

// A wrong key would suppress nobody, and an address must not be kept.
func TestCheckOfAnEntry(t *testing.T) {
	t.Parallel()
	good := suppression.Entry{
		Key:    suppression.Key{Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: "ann@example.com"}},
		Reason: suppression.ByHost, At: time.Now(),
	}
	require.NoError(t, good.Check())
	for name, c := range map[string]struct {
		change func(*suppression.Entry)
		field  string
	}{
		"no channel":             {func(e *suppression.Entry) { e.Channel = "" }, "Key.Channel"},
		"a channel that is none": {func(e *suppression.Entry) { e.Channel = "E Mail" }, "Key.Channel"},
		"a long channel":         {func(e *suppression.Entry) { e.Channel = "a23456789012345678901234567890123" }, "Key.Channel"},
		"nobody":                 {func(e *suppression.Entry) { e.RecipientID = "" }, "Key.Subject"},
		"two":                    {func(e *suppression.Entry) { e.AddressHash = "x" }, "Key.Subject"},
		"an address":             {func(e *suppression.Entry) { e.Subject = suppression.Subject{AddressHash: "ann@example.com"} }, "Key.Subject.AddressHash"},
		"a number":               {func(e *suppression.Entry) { e.Subject = suppression.Subject{AddressHash: "+4930123456"} }, "Key.Subject.AddressHash"},
		"no reason":              {func(e *suppression.Entry) { e.Reason = "" }, "Entry.Reason"},
		"no time":                {func(e *suppression.Entry) { e.At = time.Time{} }, "Entry.At"},
	} {
		e := good
		c.change(&e)
		found := notify.FieldErrors(e.Check())
		require.Len(t, found, 1, name)
		require.Equal(t, c.field, found[0].Field, name)
		require.NotContains(t, found[0].Problem, "example.com", name)
	}
	list := suppression.New(suppression.NewMemory()) // not attached
	require.Error(t, list.Suppress(t.Context(), suppression.Key{Channel: "email", Subject: list.Address("email", "ann@example.com")}))
}
