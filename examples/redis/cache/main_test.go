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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out strings.Builder
	require.NoError(t, run(ctx, &out, ""))
	require.Equal(t, `page    of ann, made anew: 0 notifications
page    of ann, from Redis: 0 notifications
mail    to ann@example.com: Shipped
page    of ann, made anew: 1 notifications
page    of ann, from Redis: 1 notifications
`, out.String())
}

func TestRunSaysThatRedisIsAway(t *testing.T) {
	require.ErrorContains(t, run(t.Context(), &strings.Builder{}, "127.0.0.1:1"), "connection refused")
}
