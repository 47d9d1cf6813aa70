package timeline_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

var (
	oldKey = bytes.Repeat([]byte("o"), 32)
	newKey = bytes.Repeat([]byte("n"), 32)
)

func ring(t *testing.T, current string, keys map[string][]byte) timeline.KeyRing {
	t.Helper()
	r, err := timeline.NewKeyRing(current, keys)
	require.NoError(t, err)
	return r
}

func TestContentsOfWhatWasSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := timeline.NewMemory()
		contents := timeline.NewContents(store, ring(t, "2026", map[string][]byte{"2026": oldKey}))
		began := time.Now().UTC()
		n, stop := start(t, take, timeline.New(store), contents)
		id, err := n.Send(t.Context(), shipped())
		require.NoError(t, err)
		_, err = n.Wait(t.Context(), id)
		require.NoError(t, err)
		require.NoError(t, n.Handled(t.Context(), id, "timeline"))

		got, err := contents.Get(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, timeline.Content{
			NotificationID: id, Leg: notify.Leg{Leg: 1, Channel: notify.EmailChannel}, At: began,
			Message: got[0].Message, Bytes: len(got[0].Message),
		}, got[0])
		var message notify.Email
		require.NoError(t, json.Unmarshal(got[0].Message, &message))
		require.Equal(t, notify.Email{To: "ada@example.com", Subject: "Shipped", Text: "Your order is on its way."}, message)

		require.NoError(t, contents.Erase(t.Context(), id))
		_, err = contents.Get(t.Context(), id)
		require.ErrorIs(t, err, notify.ErrNotFound)

		id, err = n.Send(t.Context(), shipped())
		require.NoError(t, err)
		_, err = n.Wait(t.Context(), id)
		require.NoError(t, err)
		erased, err := store.Erase(t.Context(), "shop", "u_42")
		require.NoError(t, err)
		require.Equal(t, 2, erased)
		_, err = contents.Get(t.Context(), id)
		require.ErrorIs(t, err, notify.ErrNotFound)
		stop()
	})
}

// kept seals a message, as if it were sent.
func kept(t *testing.T, store *timeline.Memory, keys timeline.KeyRing, body string, options ...func(*timeline.ContentsConfig)) (id string, c *timeline.Contents) {
	t.Helper()
	c = timeline.NewContents(store, keys, options...)
	n, stop := start(t, take, c)
	nt := shipped()
	nt.Content.Body = body
	id, err := n.Send(t.Context(), nt)
	require.NoError(t, err)
	_, err = n.Wait(t.Context(), id)
	require.NoError(t, err)
	stop()
	return id, c
}

func TestKeysOfContentsRotate(t *testing.T) {
	t.Parallel()
	store := timeline.NewMemory()
	first, _ := kept(t, store, ring(t, "old", map[string][]byte{"old": oldKey}), "CANARY 1")
	second, both := kept(t, store, ring(t, "new", map[string][]byte{"old": oldKey, "new": newKey}), "CANARY 2")
	for id, want := range map[string]string{first: "CANARY 1", second: "CANARY 2"} {
		got, err := both.Get(t.Context(), id)
		require.NoError(t, err)
		require.Contains(t, string(got[0].Message), want)
	}
	alone := timeline.NewContents(store, ring(t, "new", map[string][]byte{"new": newKey}))
	_, err := alone.Get(t.Context(), second)
	require.NoError(t, err)
	_, err = alone.Get(t.Context(), first)
	require.ErrorIs(t, err, notify.ErrNotFound)
	require.ErrorContains(t, err, `no key "old"`)
	wrong := timeline.NewContents(store, ring(t, "old", map[string][]byte{"old": newKey}))
	_, err = wrong.Get(t.Context(), first)
	require.ErrorContains(t, err, "does not open")
}

// What is sealed opens in its place only, and unchanged.
func TestContentsAreBoundToTheirPlace(t *testing.T) {
	t.Parallel()
	store := timeline.NewMemory()
	id, c := kept(t, store, ring(t, "k", map[string][]byte{"k": oldKey}), "CANARY")
	other, _ := kept(t, store, ring(t, "k", map[string][]byte{"k": oldKey}), "other")
	all, err := store.Contents(t.Context(), id)
	require.NoError(t, err)
	good := all[0]
	require.NotContains(t, string(good.Ciphertext)+string(good.WrappedKey), "CANARY")
	theirs, err := store.Contents(t.Context(), other)
	require.NoError(t, err)
	require.NotEqual(t, theirs[0].WrappedKey, good.WrappedKey)
	flip := func(b []byte, i int) []byte {
		b = bytes.Clone(b)
		b[(len(b)+i)%len(b)] ^= 1
		return b
	}
	for name, change := range map[string]func(*timeline.Sealed){
		"another notification": func(s *timeline.Sealed) { s.NotificationID = "n_2" },
		"another leg":          func(s *timeline.Sealed) { s.Leg = 2 },
		"another's key":        func(s *timeline.Sealed) { s.WrappedKey = theirs[0].WrappedKey },
		"another's content":    func(s *timeline.Sealed) { s.Ciphertext = theirs[0].Ciphertext },
		"both of another":      func(s *timeline.Sealed) { s.WrappedKey, s.Ciphertext = theirs[0].WrappedKey, theirs[0].Ciphertext },
		"a nonce":              func(s *timeline.Sealed) { s.Ciphertext = flip(s.Ciphertext, 0) },
		"a tag":                func(s *timeline.Sealed) { s.Ciphertext = flip(s.Ciphertext, -1) },
		"a byte":               func(s *timeline.Sealed) { s.Ciphertext = flip(s.Ciphertext, 20) },
		"a byte of the key":    func(s *timeline.Sealed) { s.WrappedKey = flip(s.WrappedKey, 20) },
		"no content":           func(s *timeline.Sealed) { s.Ciphertext = nil },
		"no key":               func(s *timeline.Sealed) { s.WrappedKey = nil },
		"another key ID":       func(s *timeline.Sealed) { s.KeyID = "?" },
	} {
		require.NoError(t, store.DropContents(t.Context(), id))
		bad := good
		change(&bad)
		require.NoError(t, store.PutContent(t.Context(), bad))
		_, err := c.Get(t.Context(), bad.NotificationID)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "CANARY", name)
		require.NoError(t, store.DropContents(t.Context(), bad.NotificationID))
	}
	require.NoError(t, store.PutContent(t.Context(), good))
	_, err = c.Get(t.Context(), id)
	require.NoError(t, err)
}

func TestLargeContentsAreNotKept(t *testing.T) {
	t.Parallel()
	store := timeline.NewMemory()
	keys := ring(t, "k", map[string][]byte{"k": oldKey})
	id, c := kept(t, store, keys, strings.Repeat("x", 1000), func(c *timeline.ContentsConfig) { c.MaxBytes = 1000 })
	got, err := c.Get(t.Context(), id)
	require.NoError(t, err)
	require.Nil(t, got[0].Message)
	require.Greater(t, got[0].Bytes, 1000)
	require.Equal(t, notify.EmailChannel, got[0].Leg.Channel)
	id, c = kept(t, store, keys, strings.Repeat("x", 1000))
	got, err = c.Get(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, got[0].Message, got[0].Bytes)
}

// A Memory keeps as many bytes of contents as it may.
func TestContentsOfAMemoryAreBounded(t *testing.T) {
	t.Parallel()
	m := timeline.NewMemory(func(c *timeline.MemoryConfig) { c.ContentBytes = 100 })
	put := func(id string, leg, size int) {
		require.NoError(t, m.PutContent(t.Context(), timeline.Sealed{NotificationID: id, Leg: leg, At: time.Now(), Ciphertext: make([]byte, size)}))
	}
	has := func(id string) int {
		all, err := m.Contents(t.Context(), id)
		require.NoError(t, err)
		return len(all)
	}
	put("a", 1, 30)
	put("b", 1, 30)
	put("b", 2, 30)
	put("b", 2, 40)
	require.Equal(t, []int{1, 2}, []int{has("a"), has("b")})
	put("c", 1, 1)
	require.Equal(t, []int{0, 2, 1}, []int{has("a"), has("b"), has("c")})
	put("d", 1, 101)
	require.Equal(t, []int{0, 0, 0, 0}, []int{has("a"), has("b"), has("c"), has("d")})
	put("e", 1, 100)
	require.Equal(t, 1, has("e"))
}

func TestBadKeysAndStores(t *testing.T) {
	t.Parallel()
	_, err := timeline.NewKeyRing("new", map[string][]byte{"short": []byte("s3cret"), "": oldKey})
	fields := notify.FieldErrors(err)
	require.Len(t, fields, 3)
	require.NotContains(t, err.Error(), "s3cret")
	keys := ring(t, "k", map[string][]byte{"k": oldKey})
	for want, c := range map[string]*timeline.Contents{
		"is no timeline.ContentStore": timeline.NewContents(struct{ timeline.Store }{timeline.NewMemory()}, keys),
		"the key ring is nil":         timeline.NewContents(timeline.NewMemory(), nil),
	} {
		_, err := c.Get(t.Context(), "n_1")
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, c.Erase(t.Context(), "n_1"), want)
		n, err := notify.New(notify.Config{})
		require.NoError(t, err)
		n.Attach(c)
		require.ErrorContains(t, n.Run(t.Context()), want)
		require.NoError(t, n.Close(t.Context()))
	}
	_, err = timeline.NewContents(nil, nil).Get(t.Context(), "n_1")
	require.Len(t, notify.FieldErrors(err), 2)
}
