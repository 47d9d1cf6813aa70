package gsm_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/internal/gsm"
)

func TestSegments(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	for _, tc := range []struct {
		text string
		want int
	}{
		{"", 1},
		{x("a", 160), 1},
		{x("a", 161), 2},
		{x("a", 2*153), 2},
		{x("a", 2*153+1), 3},
		{x("Ä", 160), 1}, // in the alphabet
		{x("€", 80), 1},  // two places each
		{x("€", 81), 2},
		{x("€", 152), 2},
		{x("€", 153), 3},              // 306 places, which two parts of 153 would have
		{x("a", 153) + x("€", 76), 2}, // 305, none of them divided
		{x("а", 70), 1},               // Cyrillic
		{x("а", 71), 2},
		{x("а", 2*67+1), 3},
		{x("a", 70) + "ą", 2}, // one is enough
		{x("😀", 35), 1},       // two units each
		{x("😀", 36), 2},
		{x("😀", 66), 2}, // 33 to a part, since none is divided
		{x("😀", 67), 3},
		{"`", 1},
		{x("a`", 36), 2}, // no part of the alphabet
		{x("\xff", 71), 2},
	} {
		require.Equal(t, tc.want, gsm.Segments(tc.text), "%q", tc.text)
	}
}
