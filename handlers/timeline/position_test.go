package timeline_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

func TestCursorsNameTheirPosition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := timeline.Position{
			At: time.UnixMicro(rapid.Int64Range(-62e15, 250e15).Draw(t, "micros")).UTC(), // the years 5 to 9892
			ID: rapid.StringN(1, -1, -1).Draw(t, "id"),
		}
		_, got, err := timeline.Query{AllTenants: true, After: want.Cursor()}.Resolve()
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestNoOtherTextIsACursor(t *testing.T) {
	t.Parallel()
	cursor := timeline.Position{At: noon, ID: "n_1"}.Cursor()
	for i := range len(cursor) {
		changed := []byte(cursor)
		changed[i] ^= 1
		requireNoCursor(t, string(changed))
		requireNoCursor(t, cursor[:i+1]+"A"+cursor[i+1:])
		if i > 0 {
			requireNoCursor(t, cursor[:i])
		}
	}
	requireNoCursor(t, " "+cursor)
	requireNoCursor(t, cursor+"\n")
	requireNoCursor(t, cursor+"=")
	require.Empty(t, timeline.Position{}.Cursor())
}

// A stranger can make a cursor of any time; no store knows times out of years of
// four digits.
func TestACursorBeyondTimeIsRefused(t *testing.T) {
	t.Parallel()
	for _, micros := range []int64{math.MinInt64, -1 << 60, -62_167_219_200_000_001, 253_402_300_800_000_000, 1 << 60, math.MaxInt64} {
		requireNoCursor(t, timeline.Position{At: time.UnixMicro(micros), ID: "n_1"}.Cursor())
	}
}

func requireNoCursor(t *testing.T, text string) {
	t.Helper()
	_, _, err := timeline.Query{AllTenants: true, After: text}.Resolve()
	require.Len(t, notify.FieldErrors(err), 1, text)
	require.NotContains(t, err.Error(), text)
}

func TestPositionsAreOrdered(t *testing.T) {
	t.Parallel()
	descending := []timeline.Position{
		{},
		{At: noon.Add(1), ID: "a"},
		{At: noon, ID: "b"},
		{At: noon, ID: "a"},
		{At: noon},
		{ID: "a"},
	}
	for i, p := range descending {
		for j, other := range descending {
			want := 0
			switch {
			case i < j:
				want = 1
			case i > j:
				want = -1
			}
			require.Equal(t, want, p.Compare(other), "%v %v", p, other)
		}
	}
}
