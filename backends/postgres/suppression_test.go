package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/suppression/suppressiontest"
)

func TestSuppression(t *testing.T) {
	t.Parallel()
	suppressiontest.TestStore(t, func(t *testing.T) suppression.Store { return records(t, schema(t)).Suppression() })
}

func complaint(id string, at time.Time) suppression.Entry {
	return suppression.Entry{
		Key:    suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: id}},
		Reason: suppression.Complaint, At: at.UTC().Truncate(time.Microsecond), EventID: "e-" + id,
	}
}

// What one process suppresses another finds, also when it is a backend.
func TestProcessesShareASuppressionList(t *testing.T) {
	t.Parallel()
	named := schema(t)
	one, two := records(t, named).Suppression(), open(t, named).Suppression()
	e := complaint("ann", time.Now())
	require.NoError(t, one.Set(t.Context(), e))
	found, err := two.Find(t.Context(), "shop", e.Subject)
	require.NoError(t, err)
	require.Equal(t, []suppression.Entry{e}, found)
}

// At its cap the list refuses what is new, and forgets nobody.
func TestASuppressionListHasACap(t *testing.T) {
	t.Parallel()
	named := schema(t)
	s := records(t, named, func(c *postgres.Config) { c.MaxSuppressions = 10 }).Suppression()
	for n := range 10 {
		require.NoError(t, s.Set(t.Context(), complaint(fmt.Sprint(n), time.Now())))
	}
	require.ErrorIs(t, s.Set(t.Context(), complaint("10", time.Now())), notify.ErrOverloaded)
	require.NoError(t, s.Set(t.Context(), complaint("3", time.Now())), "known already")
	require.Equal(t, 10, count(t, named, "suppression"))
}

// What no database keeps is neither an error nor another's.
func TestSuppressionOfOddNames(t *testing.T) {
	t.Parallel()
	s := records(t, schema(t)).Suppression()
	for _, id := range []string{"nul\x00", "bad\xff", "'; drop table suppression; --", "ü|%_"} {
		e := complaint(id, time.Now())
		require.NoError(t, s.Set(t.Context(), e))
		found, err := s.Find(t.Context(), "shop", e.Subject)
		require.NoError(t, err)
		require.Len(t, found, 1, "%q", id)
		require.Equal(t, e.Reason, found[0].Reason)
	}
	page, err := s.List(t.Context(), suppression.Query{Tenant: "shop"})
	require.NoError(t, err)
	require.Len(t, page.Entries, 4)
}
