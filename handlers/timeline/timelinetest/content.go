package timelinetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// contentStore skips the check of a store that keeps no contents.
func contentStore(t *testing.T, s timeline.Store) timeline.ContentStore {
	t.Helper()
	c, ok := s.(timeline.ContentStore)
	if !ok {
		t.Skip("the store is no timeline.ContentStore")
	}
	return c
}

// sealed is the content of a leg, which a store knows nothing about.
func sealed(id string, leg int, tenant, recipient string, accepted time.Time) timeline.Sealed {
	return timeline.Sealed{
		NotificationID: id, Leg: leg, At: accepted.Truncate(time.Microsecond), AcceptedAt: accepted, Recipient: timeline.RecipientHash(tenant, recipient),
		KeyID: "k/1", WrappedKey: []byte("key\x00\xff" + id), Ciphertext: []byte(fmt.Sprint("\x00\xfe", id, leg)),
	}
}

func requireContents(t *testing.T, s timeline.ContentStore, id string, want ...timeline.Sealed) {
	t.Helper()
	got, err := s.Contents(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, got, len(want))
	for i, w := range want {
		w.Recipient, w.AcceptedAt = "", time.Time{}
		require.Equal(t, w, got[i])
	}
}

func checkContents(t *testing.T, store timeline.Store) {
	s := contentStore(t, store)
	now := time.Now().Round(0).UTC()
	one, two, other := sealed("n_1", 1, "shop", "u_1", now), sealed("n_1", 2, "shop", "u_1", now), sealed("n_2", 1, "", "", now)
	for _, c := range []timeline.Sealed{two, one, other} {
		require.NoError(t, s.PutContent(t.Context(), c))
	}
	requireContents(t, s, "n_1", one, two)
	requireContents(t, s, "n_2", other)
	requireContents(t, s, "n_3")
	again := one
	again.Ciphertext, again.KeyID, again.WrappedKey = []byte("again"), "k/2", []byte("key")
	require.NoError(t, s.PutContent(t.Context(), again))
	requireContents(t, s, "n_1", again, two)
	got, err := s.Contents(t.Context(), "n_1")
	require.NoError(t, err)
	copy(got[0].Ciphertext, "spoil")
	copy(got[0].WrappedKey, "spo")
	requireContents(t, s, "n_1", again, two)

	require.NoError(t, s.DropContents(t.Context(), "n_1"))
	require.NoError(t, s.DropContents(t.Context(), "n_1"))
	requireContents(t, s, "n_1")
	requireContents(t, s, "n_2", other)
}

// checkErasedContents: with the recipient go the contents, and none comes back.
func checkErasedContents(t *testing.T, store timeline.Store) {
	s := contentStore(t, store)
	before := time.Now().Round(0).UTC().Add(-time.Hour)
	put := func(c timeline.Sealed) {
		t.Helper()
		require.NoError(t, s.PutContent(t.Context(), c))
	}
	known, ahead := sealed("n_1", 1, "shop", "u_1", before), sealed("n_2", 1, "shop", "u_1", before)
	add(t, s, of("shop", "u_1", full("n_1", before))...)
	put(known)
	put(ahead) // the timeline has not heard of it
	nobody := sealed("n_9", 1, "shop", "u_1", before)
	add(t, s, of("", "", full("n_9", before))[:2]...) // nor of whom this is for
	put(nobody)
	others := []timeline.Sealed{
		sealed("n_3", 1, "shop", "u_2", before), sealed("n_4", 1, "bank", "u_1", before), sealed("n_5", 1, "", "u_1", before),
		{NotificationID: "n_6", Leg: 1, At: known.At, AcceptedAt: before, KeyID: "k", WrappedKey: []byte{1}, Ciphertext: []byte{1}},
	}
	for _, c := range others {
		put(c)
	}
	erase(t, s, "shop", "u_1", 3)
	put(known) // again
	put(nobody)
	put(ahead)
	put(sealed("n_1", 2, "shop", "u_1", before))
	put(sealed("n_7", 1, "shop", "u_1", before)) // late
	ahead = sealed("n_1", 3, "shop", "u_1", time.Now().Round(0).UTC().Add(time.Hour))
	put(ahead) // by another clock
	for _, id := range []string{"n_1", "n_2", "n_7", "n_9"} {
		requireContents(t, s, id)
	}
	add(t, s, of("shop", "u_1", full("n_2", before))[12:]...)
	requireGone(t, s, "u_1", "n_1", "n_2")
	for _, c := range others {
		requireContents(t, s, c.NotificationID, c)
	}
	after := sealed("n_8", 1, "shop", "u_1", time.Now().Round(0).UTC().Add(time.Hour))
	put(after)
	requireContents(t, s, "n_8", after)
	erase(t, s, "shop", "u_1", 1)
	requireContents(t, s, "n_8")
	require.NotEmpty(t, notify.FieldErrors(func() error { _, err := s.Erase(t.Context(), "shop", ""); return err }()))
}

// checkEraseWhileKeeping: whatever is kept meanwhile, nothing is left.
func checkEraseWhileKeeping(t *testing.T, store timeline.Store) {
	const keepers, each = 4, 30
	s := contentStore(t, store)
	before := time.Now().Round(0).UTC().Add(-time.Hour)
	erasing := make(chan struct{})
	var running sync.WaitGroup
	for w := range keepers {
		running.Go(func() {
			for i := range each {
				if w == 0 && i == each/3 {
					close(erasing)
				}
				if err := s.PutContent(t.Context(), sealed(fmt.Sprint("n_", i), w, "shop", "u_1", before)); err != nil {
					t.Errorf("PutContent: %v", err)
				}
			}
		})
	}
	<-erasing
	if _, err := s.Erase(t.Context(), "shop", "u_1"); err != nil {
		t.Errorf("Erase: %v", err)
	}
	running.Wait()
	for i := range each {
		requireContents(t, s, fmt.Sprint("n_", i))
	}
}
