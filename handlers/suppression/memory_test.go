package suppression_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/suppression/suppressiontest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	suppressiontest.TestStore(t, func(*testing.T) suppression.Store { return suppression.NewMemory() })
}

// At its cap the store refuses what is new, and forgets nobody.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := suppression.NewMemory(func(c *suppression.MemoryConfig) { c.Entries = 10 })
	add := func(n int) error {
		return m.Set(t.Context(), suppression.Entry{
			Key:    suppression.Key{Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: fmt.Sprint(n)}},
			Reason: suppression.Complaint, At: time.Unix(int64(n), 0).UTC(),
		})
	}
	for n := range 10 {
		require.NoError(t, add(n))
	}
	require.ErrorIs(t, add(10), notify.ErrOverloaded)
	require.NoError(t, add(3), "known already")
	page, err := m.List(t.Context(), suppression.Query{})
	require.NoError(t, err)
	require.Len(t, page.Entries, 10)
}
