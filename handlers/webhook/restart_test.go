package webhook_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

func TestWhatWaitsSurvivesARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := webhook.NewMemory()
		var down atomic.Bool
		down.Store(true)
		r := serve(t, func(w http.ResponseWriter, _ request) {
			if down.Load() {
				w.WriteHeader(500)
			}
		})
		h := start(t, r, store)
		h.endpoint("ep_1", func(e *webhook.Endpoint) { e.Ordered = true })
		h.deliver("e_1", "e_2", "e_3")
		time.Sleep(time.Minute)
		h.stop()
		require.Len(t, r.got(""), 2)
		time.Sleep(time.Hour)
		require.Len(t, r.got(""), 2, "nothing runs")

		down.Store(false)
		again := start(t, r, store)
		defer again.stop()
		synctest.Wait()
		require.Equal(t, []string{"e_1", "e_2", "e_3"}, ids(r.got("")[2:]))
		require.Equal(t, 3, again.attempts("ep_1")[2].Number, "it goes on where it was")
	})
}

// A process that dies holds its claims until their leases end.
func TestAClaimOfADeadProcessIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := webhook.NewMemory()
		r := serve(t, nil)
		h := start(t, r, store)
		defer h.stop()
		h.endpoint("ep_1", func(e *webhook.Endpoint) { e.Ordered = true })
		now := time.Now()
		for _, id := range []string{"e_1", "e_2"} {
			_, err := store.Add(t.Context(), webhook.Message{ID: id, Type: delivered, Tenant: "shop", At: now, Body: []byte("{}")})
			require.NoError(t, err)
		}
		claims, _, err := store.Claim(t.Context(), webhook.Claiming{Now: now, Until: now.Add(50 * time.Second), Lane: webhook.Slow, Limit: 1})
		require.NoError(t, err)
		require.Len(t, claims, 1)
		h.deliver("e_3")
		time.Sleep(49 * time.Second)
		require.Empty(t, r.got(""))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"e_1", "e_2", "e_3"}, ids(r.got("")))
	})
}

func TestCloseLetsACallFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, serve(t, func(http.ResponseWriter, request) { time.Sleep(5 * time.Second) }), webhook.NewMemory())
		h.endpoint("ep_1")
		h.deliver("e_1", "e_2")
		synctest.Wait()
		began := time.Now()
		h.stop()
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Equal(t, []string{"e_1"}, ids(h.receivers.got("")))
		require.True(t, h.attempts("ep_1")[0].Succeeded())
		require.Equal(t, 1, h.status("ep_1").Pending)
	})
}

func TestCloseCutsACallOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var hanging atomic.Bool
		hanging.Store(true)
		store := webhook.NewMemory()
		r := serve(t, func(http.ResponseWriter, request) {
			if hanging.Load() {
				<-hang
			}
		})
		h := start(t, r, store)
		h.endpoint("ep_1")
		h.deliver("e_1")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		require.NoError(t, h.n.Close(ctx), "it heeds the end of its context")
		require.Equal(t, time.Second, time.Since(began))
		<-h.ran
		close(hang)
		hanging.Store(false)
		require.Empty(t, h.attempts("ep_1"), "nobody knows what came of it")

		again := start(t, r, store)
		defer again.stop()
		time.Sleep(time.Minute)
		require.Equal(t, []string{"e_1", "e_1"}, ids(r.got("")), "again, under the same ID, when its lease was over")
	})
}

// Two processes with a store between them: no call is made twice.
func TestTwoSendersShareAStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := webhook.NewMemory()
		var now, most atomic.Int64
		r := serve(t, func(http.ResponseWriter, request) {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(100 * time.Millisecond)
			now.Add(-1)
		})
		poll := func(c *webhook.Config) { c.Poll = time.Second }
		one, two := start(t, r, store, poll), start(t, r, store, poll)
		defer one.stop()
		defer two.stop()
		one.endpoint("ep_1", func(e *webhook.Endpoint) { e.Ordered = true })
		one.deliver(numbered("e", 50)...)
		two.deliver(numbered("e", 50)...) // the same events, as another process sees them
		time.Sleep(time.Minute)
		require.Equal(t, numbered("e", 50), ids(r.got("")))
		require.EqualValues(t, 1, most.Load(), "one at a time, in both together")
	})
}

// A Notifier that ends raises no events any more: who is gone is disabled by the
// next call.
func TestGoneDuringCloseIsDisabledLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := webhook.NewMemory()
		r := serve(t, func(w http.ResponseWriter, _ request) {
			time.Sleep(2 * time.Second)
			w.WriteHeader(http.StatusGone)
		})
		h := start(t, r, store)
		h.endpoint("ep_1")
		h.deliver("e_1", "e_2")
		synctest.Wait()
		began := time.Now()
		h.stop()
		require.Equal(t, 2*time.Second, time.Since(began))
		require.Equal(t, webhook.FailureGone, h.attempts("ep_1")[0].Failure)
		require.Empty(t, h.status("ep_1").Disabled)

		again := start(t, r, store)
		defer again.stop()
		events := disabledEvents(again)
		time.Sleep(time.Minute)
		require.Equal(t, []string{"e_1", "e_2"}, ids(r.got("")))
		require.Equal(t, webhook.DisabledGone, again.status("ep_1").Disabled)
		require.Len(t, events(), 1)
	})
}
