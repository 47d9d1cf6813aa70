package main

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a member holds that has died goes to another after Idle: what it was
// handling, and what had been read behind that.
func TestWhatADeadMemberHeld(t *testing.T) {
	addr := emptyRedis(t)
	dead := openTest(t, addr, settings{}) // which does not take its own messages
	next := openTest(t, addr, hasty(1))
	var held, came journal
	gate := make(chan struct{})
	consume(t, dead, func(id string, _ int) error {
		held.note(id)
		hold(t, gate)
		return nil
	})
	publish(t, dead, "k", 0, 10)
	held.await(t, 1)
	eventually(t, func() bool { return pending(t, addr) == 3 })
	consume(t, next, func(id string, _ int) error {
		came.note(id)
		return nil
	})
	want := []string{"k/3", "k/4", "k/5", "k/6", "k/7", "k/8", "k/9", "k/0", "k/1", "k/2"}
	require.Equal(t, want, came.await(t, 10), "the three that it held come last")
	require.Zero(t, pending(t, addr))
	close(gate)
}

// A message that is held for longer than Idle comes again, to a member that
// lives, while it is being handled: Idle has to be longer than that.
func TestWhatIsHeldTooLongComesTwice(t *testing.T) {
	for held, idle := range map[string]time.Duration{"longer than Idle": 100 * time.Millisecond, "shorter than Idle": time.Minute} {
		t.Run(held, func(t *testing.T) {
			addr := emptyRedis(t)
			s := settings{Idle: idle, Look: 20 * time.Millisecond}
			one, other := openTest(t, addr, s), openTest(t, addr, s)
			var came journal
			gate := make(chan struct{})
			handle := func(id string, _ int) error {
				came.note(id)
				hold(t, gate)
				return nil
			}
			consume(t, one, handle)
			publish(t, one, "k", 0, 1)
			came.await(t, 1)
			consume(t, other, handle)
			if idle < time.Second {
				require.Equal(t, []string{"k/0", "k/0"}, came.await(t, 2))
				return
			}
			time.Sleep(300 * time.Millisecond) // for it to come, which it must not
			require.Equal(t, []string{"k/0"}, came.all())
		})
	}
}

// A Redis that is away ends the consumption, so that it shows in Health;
// afterwards everything is there.
func TestRedisGoesAndComesBack(t *testing.T) {
	server, n, seen := notifierOn(t)
	server.Close()
	// All but a reader whose acknowledgement is under way, which goes on until it
	// succeeds.
	eventually(t, func() bool { return len(n.Health(t.Context()).Failing) > 0 })
	_, err := n.Send(t.Context(), mail("lost"))
	require.Error(t, err, "what Redis did not take is not accepted")
	// Restart of miniredis 2.40.0 leaves this canceled, and then no command that
	// blocks is answered.
	server.Ctx, server.CtxCancel = context.WithCancel(context.Background())
	require.NoError(t, server.Restart())
	eventually(t, func() bool { _, err := n.Send(t.Context(), mail("again")); return err == nil })
	eventually(t, func() bool { return slices.Contains(seen.all(), "again") })
}

// A Redis that has lost its data has lost the groups too: they are made again.
func TestRedisForgets(t *testing.T) {
	server, n, seen := notifierOn(t)
	server.FlushAll()
	eventually(t, func() bool {
		groups, err := look(t, server.Addr()).XInfoGroups(t.Context(), "notify.events").Result()
		return err == nil && len(groups) == 1
	})
	// What is published before the observer's group is there is not for it.
	eventually(t, func() bool {
		_, err := n.Send(t.Context(), mail("later"))
		require.NoError(t, err)
		return slices.Contains(seen.all(), "later")
	})
}

// An entry that redisstream did not write becomes a dead letter.
func TestForeignEntriesBecomeDeadLetters(t *testing.T) {
	server, n, seen := notifierOn(t)
	for _, values := range [][]string{
		{"hello", "world"},
		{"_watermill_message_uuid", "x", "metadata", "\xc1\xff not MessagePack", "payload", "{}"},
		{"_watermill_message_uuid", "x", "payload", "not JSON"},
	} {
		for _, stream := range []string{"notify.events", "notify.route"} {
			_, err := server.DB(testDB).XAdd(stream, "*", values)
			require.NoError(t, err)
		}
	}
	eventually(t, func() bool {
		letters, err := n.DeadLetters(t.Context(), "", "", 100)
		require.NoError(t, err)
		return len(letters) == 6
	})
	_, err := n.Send(t.Context(), mail("still"))
	require.NoError(t, err)
	eventually(t, func() bool { return slices.Contains(seen.all(), "still") })
	require.Empty(t, n.Health(t.Context()).Failing)
}

// A topic keeps about as many messages as settings say, read or not.
func TestTopicsAreTrimmed(t *testing.T) {
	if os.Getenv("NOTIFY_TEST_REDIS") != "" {
		t.Skip("Redis trims by whole nodes of a stream, which hold 100 entries by default: miniredis trims exactly")
	}
	addr := emptyRedis(t)
	b := openTest(t, addr, settings{Keep: 5})
	publish(t, b, "k", 0, 20)
	require.Equal(t, int64(5), look(t, addr).XLen(t.Context(), "t").Val())
	var came journal
	consume(t, b, func(id string, _ int) error {
		came.note(id)
		return nil
	})
	require.Equal(t, []string{"k/15", "k/16", "k/17", "k/18", "k/19"}, came.await(t, 5), "nobody is told of the rest")
}
