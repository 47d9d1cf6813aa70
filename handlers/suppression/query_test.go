package suppression_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/suppression"
)

// A cursor is that of a key, to the byte, or refused with its field.
func FuzzCursor(f *testing.F) {
	key := suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: "ann|ü"}, Scope: "news"}
	for _, text := range []string{
		key.Cursor(), suppression.Key{}.Cursor(), key.Cursor() + "=", key.Cursor()[1:], "bm90aGluZw", "e30", "bnVsbA", "W10", "%00", " ", "\n",
		strings.Repeat("A", 10_000), "eyJUZW5hbnQiOiJhIiwiVGVuYW50IjoiYiJ9",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, after, later, err := suppression.Query{AllTenants: true, After: text}.Resolve()
		if err != nil {
			found := notify.FieldErrors(err)
			require.Len(t, found, 1)
			require.Equal(t, "Query.After", found[0].Field)
			return
		}
		require.Equal(t, text != "", later)
		if later {
			require.Equal(t, text, after.Cursor())
		}
		_, err = suppression.NewMemory().List(t.Context(), suppression.Query{AllTenants: true, After: text})
		require.NoError(t, err)
	})
}
