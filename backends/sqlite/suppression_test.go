package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/suppression/suppressiontest"
)

func TestSuppression(t *testing.T) {
	t.Parallel()
	suppressiontest.TestStore(t, func(t *testing.T) suppression.Store { return open(t, path(t)).Suppression() })
}

// At its cap the store refuses what is new, and forgets nobody, also of those
// that an earlier process kept.
func TestSuppressionIsBounded(t *testing.T) {
	t.Parallel()
	file := path(t)
	cap10 := func(c *sqlite.Config) { c.MaxSuppressions = 10 }
	add := func(s suppression.Store, n int) error {
		return s.Set(t.Context(), suppression.Entry{
			Key:    suppression.Key{Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: fmt.Sprint(n)}},
			Reason: suppression.Complaint, At: time.Unix(int64(n), 0).UTC(),
		})
	}
	b := open(t, file, cap10)
	for n := range 10 {
		require.NoError(t, add(b.Suppression(), n))
	}
	require.NoError(t, b.Close())
	s := open(t, file, cap10).Suppression()
	require.ErrorIs(t, add(s, 10), notify.ErrOverloaded)
	require.NoError(t, add(s, 3), "known already")
	page, err := s.List(t.Context(), suppression.Query{})
	require.NoError(t, err)
	require.Len(t, page.Entries, 10)
}
