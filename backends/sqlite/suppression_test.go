package sqlite_test

import (
	"testing"

	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/suppression/suppressiontest"
)

func TestSuppression(t *testing.T) {
	t.Parallel()
	suppressiontest.TestStore(t, func(t *testing.T) suppression.Store { return open(t, path(t)).Suppression() })
}
