//go:build race

package notify_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// An observer that changes an event is found out, and named.
func TestAnEventThatIsChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(e notify.Event[paid]){
		"a slice": func(e notify.Event[paid]) { e.Data.Items[0] = "changed" },
		"labels":  func(e notify.Event[paid]) { e.Labels["shop"] = "changed" },
		"nothing": func(e notify.Event[paid]) { e.Data.Order, e.Tenant = "own", "own" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				runBus(t, notify.Config{Backend: memory.New()}, func(b *busTest) {
					notify.On(b.Notifier, "culprit", func(_ context.Context, e notify.Event[paid]) error {
						change(e)
						return nil
					}, func(o *notify.Observer) { o.Retry.Attempts = 1 })
					b.run()
					_, err := notify.Emit(b.ctx, b.Notifier, paid{Items: []string{"1"}}, func(e *notify.Envelope) {
						e.Labels = map[string]string{"shop": "1"}
					})
					require.NoError(t, err)
					time.Sleep(time.Minute)
					letters := b.letters("culprit")
					if name == "nothing" {
						require.Empty(t, letters)
						return
					}
					require.Len(t, letters, 1)
					require.Equal(t, notify.ObserverPanicked, letters[0].Class)
					require.Contains(t, letters[0].Error, "observer culprit changed the shop.paid.v1")
					require.Contains(t, b.log.String(), "changed an event")
				})
			})
		})
	}
}
