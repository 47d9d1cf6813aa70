package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out strings.Builder
	require.NoError(t, run(ctx, &out, ""))
	text := out.String()
	for _, want := range []string{
		"a miniredis in this process", "mail       to ann@example.com: Shipped", "alerts     fails once", "done       3 notifications",
	} {
		require.Contains(t, text, want)
	}
	require.Equal(t, 3, strings.Count(text, "went out by printer"))
	require.Equal(t, 3, strings.Count(text, "settled    "))
}

func TestRunSaysThatRedisIsAway(t *testing.T) {
	require.ErrorContains(t, run(t.Context(), &strings.Builder{}, "127.0.0.1:1"), "connection refused")
}
