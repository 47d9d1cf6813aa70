package webhook_test

import (
	"testing"

	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/handlers/webhook/webhooktest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	webhooktest.TestStore(t, func(*testing.T) webhook.Store { return webhook.NewMemory() })
}
