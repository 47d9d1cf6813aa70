package timelinetest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

func checkNotFound(t *testing.T, s timeline.Store) {
	add(t, s, accepted("n_1", began).events...)
	_, err := s.Get(t.Context(), "n_2")
	require.ErrorIs(t, err, notify.ErrNotFound)
}

func checkEntry(t *testing.T, s timeline.Store) {
	one, other := full("n_1", began), canceled("n_2", began)
	for i, e := range one.events {
		add(t, s, e)
		got, err := s.Get(t.Context(), "n_1")
		require.NoError(t, err)
		require.Equal(t, timeline.NewEntry(one.events[:i+1]...), got)
	}
	add(t, s, other.events...)
	for _, h := range []*history{one, other} {
		got, err := s.Get(t.Context(), h.about.NotificationID)
		require.NoError(t, err)
		require.Equal(t, h.events, got.Events)
		require.Equal(t, folded(h.events), got.Status)
		require.Equal(t, began.Truncate(time.Microsecond), got.At)
		require.False(t, got.Truncated)
	}
}

func folded(events []notify.Event[any]) notify.Status {
	var f notify.Fold
	for _, e := range events {
		f.Add(e)
	}
	return f.Status()
}

func checkNoNotification(t *testing.T, s timeline.Store) {
	e := newHistory("", began).after(0, "provider_up", notify.ProviderUp{Provider: "smtp"}).events[0]
	require.NotEmpty(t, notify.FieldErrors(s.Add(t.Context(), e)))
	page, err := s.List(t.Context(), timeline.Query{AllTenants: true})
	require.NoError(t, err)
	require.Empty(t, page.Entries)
}

func checkRepeats(t *testing.T, s timeline.Store) {
	h := full("n_1", began)
	for _, e := range h.events {
		add(t, s, e, e)
	}
	add(t, s, h.events...)
	got, err := s.Get(t.Context(), "n_1")
	require.NoError(t, err)
	require.Equal(t, timeline.NewEntry(h.events...), got)
	page, err := s.List(t.Context(), timeline.Query{AllTenants: true})
	require.NoError(t, err)
	require.Equal(t, []timeline.Entry{got}, page.Entries)
}

func checkOrder(t *testing.T, s timeline.Store) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, id := range []string{"n_1", "n_2", "n_3", "n_4", "n_5", "n_6", "n_7", "n_8", "n_9", "n_10"} {
		h := full(id, began)
		order := slices.Concat(h.events, h.events[:5])
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		add(t, s, order...)
		got, err := s.Get(t.Context(), id)
		require.NoError(t, err)
		want := timeline.NewEntry(h.events...)
		require.Equal(t, want.Status, got.Status)
		require.Equal(t, want.At, got.At)
		require.ElementsMatch(t, want.Events, got.Events)
		page, err := s.List(t.Context(), timeline.Query{AllTenants: true, Limit: 1})
		require.NoError(t, err)
		require.Len(t, page.Entries, 1)
	}
}

func checkSharing(t *testing.T, s timeline.Store) {
	h := full("n_1", began)
	add(t, s, h.events...)
	spoil := func(e timeline.Entry) {
		e.Status.Legs[0].Attempts[0].Provider = "spoiled"
		e.Status.Legs[1].Channel = "spoiled"
		e.Events[0].ID = "spoiled"
		_ = append(e.Events[:1], notify.Event[any]{})
	}
	got, err := s.Get(t.Context(), "n_1")
	require.NoError(t, err)
	spoil(got)
	page, err := s.List(t.Context(), timeline.Query{AllTenants: true})
	require.NoError(t, err)
	spoil(page.Entries[0])
	got, err = s.Get(t.Context(), "n_1")
	require.NoError(t, err)
	require.Equal(t, timeline.NewEntry(h.events...), got)
}
