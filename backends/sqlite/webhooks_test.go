package sqlite_test

import (
	"testing"

	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/handlers/webhook/webhooktest"
)

func TestWebhooks(t *testing.T) {
	t.Parallel()
	webhooktest.TestStore(t, func(t *testing.T) webhook.Store { return open(t, path(t)).Webhooks() })
}
