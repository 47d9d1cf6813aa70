package postgres_test

import (
	"testing"

	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/handlers/webhook/webhooktest"
)

func TestWebhook(t *testing.T) {
	t.Parallel()
	webhooktest.TestStore(t, func(t *testing.T) webhook.Store { return records(t, schema(t)).Webhook() })
}
