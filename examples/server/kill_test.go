package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

var sends = flag.Int("server.sends", 2000, "notifications that TestKill sends")

// each calls fn for 0 to n-1, by 64 at once. What fn requires ends the test.
func each(t *testing.T, n int, fn func(i int)) {
	t.Helper()
	var all sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				fn(i)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// A process that is killed while it answers 64 clients has lost nothing that it
// accepted: who got no answer asks again under the same key, everything settles,
// and nobody gets a mail twice. What was with the SMTP server at that moment may
// be unknown, which the status says.
func TestKill(t *testing.T) {
	t.Parallel()
	box := openMailbox(t)
	args := []string{"-db", filepath.Join(t.TempDir(), "notify.db"), "-smtp", box.addr}
	first := start(t, args...)
	c := newClient(t, first.url)
	n := *sends
	to := func(i int) string { return fmt.Sprintf("u%d@example.com", i) }
	key := func(i int) string { return fmt.Sprintf("order %d", i) }

	ids := make([]string, n) // of those that were answered
	var answered atomic.Int64
	each(t, n, func(i int) {
		got, err := c.trySend(to(i), key(i))
		if err != nil {
			return
		}
		ids[i] = got.id(t)
		if answered.Add(1) == int64(n/3) {
			first.kill()
		}
	})
	require.GreaterOrEqual(t, int(answered.Load()), n/3)
	require.Less(t, int(answered.Load()), n, "it answered all: it was not killed in the middle")

	second := start(t, args...)
	c = newClient(t, second.url)
	each(t, n, func(i int) {
		id := c.send(to(i), key(i))
		if ids[i] != "" {
			require.Equal(t, ids[i], id, "the same key has the same ID")
		}
		ids[i] = id
	})
	states := make([]string, n)
	each(t, n, func(i int) { states[i] = c.await(ids[i]) })
	unknown := 0
	for i, state := range states {
		if state == "unknown" {
			unknown++
		}
		require.NoError(t, fate(state, box.count(to(i))), to(i))
	}
	require.LessOrEqual(t, unknown, 4, "one for each connection")
	t.Logf("%d sent, %d answered before the kill, %d unknown", n, answered.Load(), unknown)

	// The control: without keys a repeated request is another notification,
	// and the check sees it.
	one := slices.Index(states, "sent")
	require.Equal(t, "sent", c.await(c.send(to(one), "")))
	require.Error(t, fate(states[one], box.count(to(one))))
}

// fate tells what is wrong with a notification's end.
func fate(state string, mails int) error {
	switch {
	case state == "sent" && mails == 1, state == "unknown" && mails <= 1:
		return nil
	default:
		return fmt.Errorf("%s, with %d mails", state, mails)
	}
}
