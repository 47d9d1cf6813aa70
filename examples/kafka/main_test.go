package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-6c01d079/notify/examples/internal/shop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out strings.Builder
	require.NoError(t, run(ctx, &out, "", shop.Mail{From: "shop@example.com", To: "ann@example.com"}))
	text := out.String()
	for _, want := range []string{
		"a broker in this process", "push failed (unregistered): going on with email",
		"Subject: Shipped", "Subject: Thank you", "settled    the second notification: sent", "timeline",
	} {
		require.Contains(t, text, want)
	}
}
