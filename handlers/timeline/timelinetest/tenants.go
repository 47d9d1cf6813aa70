package timelinetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// checkTenants: whatever is asked for, a tenant's entries are on that one's list, and
// all are on that of all tenants; the tenant without a name is one of them.
func checkTenants(t *testing.T, s timeline.Store) {
	kinds := []func(string, time.Time) *history{planned, full, unrenderable, canceled}
	tenants := []string{"", "bank", "Bank", "shop"}
	for i := range 4 * len(tenants) {
		kind, tenant := i/len(tenants), tenants[i%len(tenants)]
		h := kinds[kind](fmt.Sprintf("n_%02d_%s", i, tenant), began.Add(time.Duration(i)*time.Minute))
		events := of(tenant, []string{"u_1", "u_2"}[kind%2], h)
		for n := range events {
			events[n].Labels = map[string]string{"kind": fmt.Sprint(kind % 2), "shop": "Graz"}
		}
		add(t, s, events...)
	}
	settled, graz, odd := new(true), map[string]string{"shop": "Graz"}, map[string]string{"kind": "1", "shop": "Graz"}
	for _, q := range []timeline.Query{
		{},
		{RecipientID: "u_1"},
		{RecipientID: "u_2", Channel: notify.PushChannel},
		{RecipientID: "u_2", Labels: graz},
		{Category: "shipping"},
		{Channel: notify.PushChannel},
		{Channel: notify.EmailChannel, States: []notify.State{notify.StateFailed}},
		{Labels: graz},
		{Labels: odd, Channel: notify.EmailChannel},
		{States: []notify.State{notify.StateFailed, notify.StateCanceled}},
		{Settled: settled, From: began.Add(5 * time.Minute), Until: began.Add(15 * time.Minute)},
	} {
		q.AllTenants, q.Limit = true, 500
		all := read(t, s, q)
		q.AllTenants = false
		for _, q.Tenant = range tenants {
			var want []string
			for _, id := range all {
				if strings.HasSuffix(id, "_"+q.Tenant) {
					want = append(want, id)
				}
			}
			require.NotEmpty(t, want, "%+v", q)
			for _, q.Limit = range []int{1, 2, 500} {
				require.Equal(t, want, read(t, s, q), "%+v", q)
			}
		}
		q.Tenant = "nobody's"
		require.Empty(t, read(t, s, q), "%+v", q)
	}
}

// checkLateTenant: as long as the tenant is not known, it is the one without a name.
func checkLateTenant(t *testing.T, s timeline.Store) {
	list := func(tenant string) []string { return read(t, s, timeline.Query{Tenant: tenant, Limit: 500}) }
	events := of("bank", "u_1", full("n_1", began))
	add(t, s, events[12]) // that it was opened
	require.Equal(t, []string{"n_1"}, list(""))
	require.Empty(t, list("bank"))
	add(t, s, events...)
	require.Empty(t, list(""))
	require.Equal(t, []string{"n_1"}, list("bank"))
}
