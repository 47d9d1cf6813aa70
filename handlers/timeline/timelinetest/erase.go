package timelinetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// of gives all events the recipient and the tenant.
func of(tenant, recipient string, h *history) []notify.Event[any] {
	events := labelled(h, map[string]string{"of": recipient})
	for i := range events {
		events[i].Tenant, events[i].RecipientID = tenant, recipient
	}
	return events
}

func erase(t *testing.T, s timeline.Store, tenant, recipient string, want int) {
	t.Helper()
	erased, err := s.Erase(t.Context(), tenant, recipient)
	require.NoError(t, err)
	require.Equal(t, want, erased)
}

func requireGone(t *testing.T, s timeline.Store, recipient string, gone ...string) {
	t.Helper()
	for _, id := range gone {
		_, err := s.Get(t.Context(), id)
		require.ErrorIs(t, err, notify.ErrNotFound, id)
	}
	for _, q := range []timeline.Query{{RecipientID: recipient}, {Labels: map[string]string{"of": recipient}}, {Channel: notify.PushChannel}, {}} {
		q.AllTenants, q.Limit = true, 500
		page, err := s.List(t.Context(), q)
		require.NoError(t, err)
		for _, id := range gone {
			require.NotContains(t, ids(page.Entries), id)
		}
	}
}

// checkErase: it is the recipient of that tenant, and nobody else.
func checkErase(t *testing.T, s timeline.Store) {
	mine := [][]notify.Event[any]{
		of("shop", "u_1", full("n_1", began)),
		of("shop", "u_1", canceled("n_2", began)),
		of("shop", "u_1", full("n_3", began))[12:13], // nothing but that it was opened
	}
	others := [][]notify.Event[any]{
		of("shop", "u_2", full("n_4", began)),
		of("bank", "u_1", full("n_5", began)),
		of("", "u_1", full("n_6", began)),
		of("shop", "", full("n_7", began)),
		of("shop", "U_1", full("n_8", began)),
	}
	for _, events := range append(mine, others...) {
		add(t, s, events...)
	}
	for range 3 {
		_, err := s.Erase(t.Context(), "shop", "")
		require.Len(t, notify.FieldErrors(err), 1)
	}
	erase(t, s, "shop", "u_9", 0)
	erase(t, s, "shop", "u_1", 3)
	requireGone(t, s, "u_1", "n_1", "n_2", "n_3")
	erase(t, s, "shop", "u_1", 0)
	for _, events := range others {
		got, err := s.Get(t.Context(), events[0].NotificationID)
		require.NoError(t, err)
		require.Equal(t, timeline.NewEntry(events...), got)
	}
	page, err := s.List(t.Context(), timeline.Query{AllTenants: true, Channel: notify.PushChannel})
	require.NoError(t, err)
	require.Len(t, page.Entries, len(others))
	erase(t, s, "", "u_1", 1)
	requireGone(t, s, "u_1", "n_6")
}

// checkErasedStays: what comes again, or late, brings nothing back.
func checkErasedStays(t *testing.T, s timeline.Store) {
	now := time.Now().Round(0).UTC()
	known, late := of("shop", "u_1", full("n_1", now.Add(-time.Hour))), of("shop", "u_1", full("n_2", now.Add(-time.Hour)))
	half := of("shop", "u_1", full("n_3", now.Add(-time.Hour)))
	hosts := half[0]
	hosts.ID, hosts.Type, hosts.Data, hosts.RecipientID = "n_3/own", "shop.paid.v1", notify.Raw(`{}`), ""
	add(t, s, known[:5]...)
	erase(t, s, "shop", "u_1", 1)

	add(t, s, known...)                                                           // again, and the rest
	add(t, s, late[0], late[1])                                                   // what was under way
	add(t, s, hosts, half[3])                                                     // first an event that names nobody
	after := notify.Event[any]{Envelope: late[0].Envelope, Data: notify.Opened{}} // long afterwards
	for i, id := range []string{"n_1", "n_2", "n_3"} {
		after.ID, after.Type, after.NotificationID, after.Time = fmt.Sprint(id, "/after/", i), "notify.opened.v1", id, now.Add(time.Hour)
		add(t, s, after)
		nobody := after
		nobody.ID, nobody.RecipientID = after.ID+"/nobody", ""
		add(t, s, nobody)
	}
	requireGone(t, s, "u_1", "n_1", "n_2", "n_3")
	add(t, s, known...) // a replay
	add(t, s, late...)
	requireGone(t, s, "u_1", "n_1", "n_2", "n_3")

	// What is sent afterwards is theirs, until it is erased, too.
	new := of("shop", "u_1", full("n_4", now.Add(time.Hour)))
	add(t, s, new...)
	got, err := s.Get(t.Context(), "n_4")
	require.NoError(t, err)
	require.Equal(t, timeline.NewEntry(new...), got)
	erase(t, s, "shop", "u_1", 1)
	add(t, s, new...)
	requireGone(t, s, "u_1", "n_1", "n_2", "n_3", "n_4")
}

// checkEraseMany has more than a store erases in one go.
func checkEraseMany(t *testing.T, s timeline.Store) {
	const many = 900
	var running sync.WaitGroup
	for worker := range 4 {
		running.Go(func() {
			for i := range many {
				if i%4 == worker {
					if err := s.Add(t.Context(), of("shop", "u_1", accepted(fmt.Sprint("n_", i), began))[0]); err != nil {
						t.Errorf("Add: %v", err)
					}
				}
			}
		})
	}
	running.Wait()
	add(t, s, of("shop", "u_2", accepted("other", began))...)
	erase(t, s, "shop", "u_1", many)
	require.Equal(t, []string{"other"}, read(t, s, timeline.Query{AllTenants: true, Limit: 100}))
}

// checkEraseWhileAdding: whatever is added meanwhile, nothing is left.
func checkEraseWhileAdding(t *testing.T, s timeline.Store) {
	const writers, each = 4, 30
	before := time.Now().Add(-time.Hour).Round(0).UTC()
	erasing := make(chan struct{})
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := range each {
				if w == 0 && i == each/3 {
					close(erasing)
				}
				// Two writers write each notification; every third is somebody else's.
				recipient := []string{"u_1", "u_1", "u_2"}[i%3]
				for _, e := range of("shop", recipient, full(fmt.Sprintf("n_%d_%d", w/2, i), before)) {
					if err := s.Add(t.Context(), e); err != nil {
						t.Errorf("Add: %v", err)
					}
				}
			}
		})
	}
	<-erasing
	if _, err := s.Erase(context.Background(), "shop", "u_1"); err != nil {
		t.Errorf("Erase: %v", err)
	}
	running.Wait()
	list := read(t, s, timeline.Query{AllTenants: true, Limit: 100})
	require.Len(t, list, writers/2*each/3)
	for _, id := range list {
		got, err := s.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, "u_2", got.Status.RecipientID)
		require.Len(t, got.Events, 15)
	}
	require.Empty(t, read(t, s, timeline.Query{AllTenants: true, Limit: 100, Labels: map[string]string{"of": "u_1"}}))
}
