package event_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/internal/event"
)

func TestName(t *testing.T) {
	t.Parallel()
	for wireType, want := range map[string]string{
		"notify.sent.v1":            "sent",
		"notify.dead_lettered.v1":   "dead_lettered",
		"notify.sent.v2":            "sent.v2", // another meaning, so another name
		"notify.sent":               "sent",
		"notify.v1":                 "v1",
		"shop.order_paid.v1":        "shop.order_paid.v1",
		"notifying.shop.renamed.v1": "notifying.shop.renamed.v1",
		"":                          "",
	} {
		require.Equal(t, want, event.Name(wireType), wireType)
	}
}
