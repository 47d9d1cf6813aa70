package timeline_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// A cursor is that of a position, to the byte, or refused with its field.
func FuzzCursor(f *testing.F) {
	at := timeline.Position{At: time.UnixMicro(1_790_000_000_000_000).UTC(), ID: "n_1"}
	for _, text := range []string{
		at.Cursor(), at.Cursor() + "=", at.Cursor() + "A", at.Cursor()[1:], "bm90aGluZw", "AAAAAAAAAAAAAAAAAAAAAA", "%00", " ", "\n", strings.Repeat("A", 10_000),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, after, err := timeline.Query{AllTenants: true, After: text}.Resolve()
		if err != nil {
			found := notify.FieldErrors(err)
			require.Len(t, found, 1)
			require.Equal(t, "Query.After", found[0].Field)
			return
		}
		require.Equal(t, text, after.Cursor())
		_, err = timeline.NewMemory().List(t.Context(), timeline.Query{AllTenants: true, After: text})
		require.NoError(t, err)
	})
}
