package shop_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/examples/internal/shop"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestInMemory(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out strings.Builder
	require.NoError(t, shop.Run(ctx, &out, notify.Config{}, shop.Mail{From: "shop@example.com", To: "ann@example.com"}))
	text := out.String()
	for _, want := range []string{
		"push failed (unregistered): going on with email",
		"Subject: Shipped", "Subject: Thank you", "settled    the second notification: sent", "timeline",
	} {
		require.Contains(t, text, want)
	}
}
