package sqlite_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// What comes from memory is what is in the file, whoever changes their copy.
func TestMessagesAreNobodyElses(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	pub, err := b.Publisher()
	require.NoError(t, err)
	spoil := func(m *message.Message) {
		m.UUID = "spoiled"
		m.Metadata["spoiled"] = "yes"
		m.Payload[0] = 'X'
	}
	m := wire("k", 7)
	require.NoError(t, pub.Publish("t", m))
	spoil(m)
	for group := range 3 {
		sub, err := b.Subscriber(strconv.Itoa(group))
		require.NoError(t, err)
		messages, err := sub.Subscribe(t.Context(), "t")
		require.NoError(t, err)
		got := <-messages
		require.True(t, got.Equals(wire("k", 7)))
		spoil(got)
		got.Ack()
	}
}

// Groups that keep up, groups that begin late, and delayed messages in between:
// all see one log.
func TestMemoryAndFileAreOneLog(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	early := consume(t, b, "t", "early", nil)
	for n := range 60 {
		publish(t, b, "t", "k", 50*n, 50*n+49)
		require.NoError(t, b.PublishAt(t.Context(), time.Now().Add(time.Millisecond), "t", wire("k", 50*n+49)))
		eventually(t, func() bool { return lag(t, b, "t", "early") == 0 && len(early.got()) == 50*(n+1) }, "it keeps up")
		if n%20 == 7 {
			late := consume(t, b, "t", "late"+strconv.Itoa(n), nil)
			catchUp(t, b, "t", "late"+strconv.Itoa(n))
			require.Equal(t, uuids("k", 0, 50*(n+1)), late.got())
			late.leave()
		}
	}
	require.True(t, slices.Equal(uuids("k", 0, 3000), early.got()))
}
