package sqlite_test

import (
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

func TestAMessageThatCannotBeKept(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.ErrorContains(t, pub.Publish("", wire("k", 0)), "the topic is empty")
	require.ErrorContains(t, pub.Publish("t", wire("k", 0), nil), "message 1: the message is nil")
	bad := wire("k", 1)
	bad.Metadata.Set("name", "\xff")
	require.ErrorContains(t, pub.Publish("t", wire("k", 0), bad), `message 1: the metadata "name" is not valid UTF-8`)
	require.Zero(t, lagOfNew(t, b), "none is published if one cannot be")
	require.NoError(t, pub.Close())
	require.ErrorIs(t, pub.Publish("t", wire("k", 0)), backend.ErrClosed)
}

func TestAnyContentArrives(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	pub, err := b.Publisher()
	require.NoError(t, err)
	want := []*message.Message{
		message.NewMessage("", nil),
		message.NewMessage("\x00\xff", []byte("\x00\x01\xff")),
		message.NewMessage("12", []byte("2026-01-02T15:04:05Z")),
		message.NewMessage("text", []byte("Grüße\n, 世界 \"'\x07")),
		message.NewMessage("nul", []byte("a\x00b")),
		message.NewMessage("long", []byte(strings.Repeat("x", 3<<20))),
	}
	want[3].Metadata = message.Metadata{"": "empty", "a\"b": "\x00\n<>&", "ünïcode": "世界"}
	require.NoError(t, pub.Publish("t", want...))
	sub, err := b.Subscriber("g")
	require.NoError(t, err)
	messages, err := sub.Subscribe(t.Context(), "t")
	require.NoError(t, err)
	for _, m := range want {
		got := <-messages
		require.True(t, got.Equals(m), "%q", m.UUID)
		got.Ack()
	}
}

// Somebody has been at the file. The group goes on.
func TestARowThatDoesNotDecode(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file)
	publish(t, b, "t", "k", 0, 3)
	require.NoError(t, b.Close())
	query(t, file, "UPDATE messages SET metadata = 'no JSON' WHERE position = 1")
	b = open(t, file)
	sub, err := b.Subscriber("g")
	require.NoError(t, err)
	messages, err := sub.Subscribe(t.Context(), "t")
	require.NoError(t, err)
	for n := range 3 {
		m := <-messages
		require.Equal(t, uuids("k", n, n+1), []string{m.UUID})
		if n == 1 {
			require.Equal(t, message.Metadata{sqlite.PositionMetadata: "1"}, m.Metadata)
		}
		m.Ack()
	}
}
