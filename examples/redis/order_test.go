package main

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// As long as one member stays, a group's messages come in order, also when some
// fail.
func TestOneMemberKeepsOrder(t *testing.T) {
	const n = 200
	b := openTest(t, emptyRedis(t), settings{})
	var came journal
	consume(t, b, func(id string, attempt int) error {
		if attempt == 1 && len(id) == len("a/1") {
			return errors.New("not yet")
		}
		came.note(id)
		return nil
	})
	var want []string
	for i := range n {
		for _, key := range []string{"a", "b"} {
			publish(t, b, key, i, i+1)
			want = append(want, key+"/"+strconv.Itoa(i))
		}
	}
	require.Equal(t, want, came.await(t, 2*n))
}

// With a second member a message overtakes the one before it. (Were this to
// fail, the feature Ordered could be claimed.)
func TestTwoMembersKeepNoOrder(t *testing.T) {
	addr := emptyRedis(t)
	first, second := openTest(t, addr, settings{}), openTest(t, addr, settings{})
	var came, overtook journal
	gate := make(chan struct{})
	consume(t, first, func(id string, _ int) error {
		came.note(id)
		hold(t, gate)
		return nil
	})
	publish(t, first, "k", 0, 1)
	came.await(t, 1)
	consume(t, second, func(id string, _ int) error {
		overtook.note(id)
		return nil
	})
	publish(t, first, "k", 1, 20)
	overtook.await(t, 1)
	close(gate)
}

// A subscription gets one message at a time; several lanes get several.
func TestLanes(t *testing.T) {
	const lanes = 4
	b := openTest(t, emptyRedis(t), settings{Group: everything(lanes)})
	var came journal
	gate := make(chan struct{})
	consume(t, b, func(id string, _ int) error {
		came.note(id)
		hold(t, gate)
		return nil
	})
	for i := range 5 * lanes {
		publish(t, b, strconv.Itoa(i), 0, 1)
	}
	came.await(t, lanes)
	time.Sleep(50 * time.Millisecond) // for more to come, which must not
	require.Len(t, came.all(), lanes)
	close(gate)
	came.await(t, 5*lanes)
}

// Up to two messages are read behind one that is slow, and wait for it, though
// another lane has nothing to do.
func TestMessagesWaitBehindASlowOne(t *testing.T) {
	addr := emptyRedis(t)
	b := openTest(t, addr, settings{Group: everything(2)})
	var came journal
	gate := make(chan struct{})
	consume(t, b, func(id string, _ int) error {
		if id == "slow/0" {
			hold(t, gate)
		}
		came.note(id)
		return nil
	})
	publish(t, b, "slow", 0, 1)
	publish(t, b, "k", 0, 50)
	eventually(t, func() bool { return pending(t, addr) == 3 && len(came.all()) == 48 })
	close(gate)
	require.Equal(t, 51, len(came.await(t, 51)))
}

// pending is how many messages Redis has given to the group, and are not
// acknowledged.
func pending(t *testing.T, addr string) int64 {
	t.Helper()
	p, err := look(t, addr).XPending(t.Context(), "t", "g").Result()
	require.NoError(t, err)
	return p.Count
}
