package notify

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestHexDigits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint32().Draw(t, "v")
		var text [8]byte
		binary.BigEndian.PutUint64(text[:], hexDigits(v))
		require.Equal(t, fmt.Sprintf("%08x", v), string(text[:]))
	})
}

func TestNewID(t *testing.T) {
	t.Parallel()
	now := time.Now()
	id, err := uuid.Parse(newID(now))
	require.NoError(t, err)
	require.EqualValues(t, 7, id.Version())
	require.Equal(t, uuid.RFC4122, id.Variant())
	seconds, nanos := id.Time().UnixTime()
	require.Equal(t, now.UnixMilli(), time.Unix(seconds, nanos).UnixMilli())
	require.Less(t, newID(now), newID(now.Add(time.Microsecond)))
}
