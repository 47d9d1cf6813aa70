package webhooktest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

func checkNotFound(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"))
	_, err := s.Get(t.Context(), "ep_2")
	require.ErrorIs(t, err, notify.ErrNotFound)
	require.ErrorIs(t, s.Delete(t.Context(), "ep_2"), notify.ErrNotFound)
	require.ErrorIs(t, s.Switch(t.Context(), "ep_2", webhook.DisabledByHost, began), notify.ErrNotFound)
	_, _, err = s.Replay(t.Context(), "ep_2", began)
	require.ErrorIs(t, err, notify.ErrNotFound)
	_, err = s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "ep_2"})
	require.ErrorIs(t, err, notify.ErrNotFound)
	gone := webhook.Claim{Status: webhook.Status{Endpoint: endpoint("ep_2")}, Message: message("m_1", 0)}
	require.ErrorIs(t, s.Finish(t.Context(), gone, webhook.Outcome{}), notify.ErrNotFound)
}

func checkEndpoint(t *testing.T, s webhook.Store) {
	e := webhook.Endpoint{
		ID: "ep_1", Tenant: "shop", URL: "https://example.com/hooks?token=1", Secrets: []webhook.Secret{webhook.NewSecret(), webhook.NewSecret()},
		Types: []string{sent, failed}, Ordered: true, Concurrency: 7,
	}
	put(t, s, e)
	require.Equal(t, webhook.Status{Endpoint: e}, get(t, s, "ep_1"))
	add(t, s, "m_1")
	got := claim(t, s, 0, 1)
	require.Len(t, got, 1)
	require.Equal(t, e, got[0].Status.Endpoint)
	require.Equal(t, message("m_1", 0).Body, got[0].Message.Body)
	require.Equal(t, message("m_1", 0).At, got[0].Message.At.UTC())
	require.Equal(t, at(10), got[0].Until.UTC())
}

func checkSharing(t *testing.T, s webhook.Store) {
	e := endpoint("ep_1")
	want := endpoint("ep_1", func(e2 *webhook.Endpoint) { e2.Secrets = slices.Clone(e.Secrets) })
	put(t, s, e)
	e.Types[0], e.Secrets[0] = "changed", webhook.NewSecret()
	got := get(t, s, "ep_1")
	require.Equal(t, want, got.Endpoint)
	got.Types[0], got.Secrets[0] = "changed", webhook.NewSecret()
	require.Equal(t, want, get(t, s, "ep_1").Endpoint)
}

func checkChange(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"))
	prove(t, s, "ep_1")
	add(t, s, "m_1", "m_2")
	c := claim(t, s, 1, 1)[0]
	require.NoError(t, s.Finish(t.Context(), c, webhook.Outcome{
		Attempt: attempt(c, 1, webhook.FailureTimeout), Next: at(5), Hold: at(3), Slow: true,
	}))
	before := get(t, s, "ep_1")
	require.Equal(t, at(1), before.FailingSince.UTC())
	require.Equal(t, at(3), before.HeldUntil.UTC())
	require.True(t, before.Slow)
	require.Equal(t, 2, before.Pending)

	changed := before.Endpoint
	changed.Secrets, changed.Types, changed.Concurrency, changed.Ordered = []webhook.Secret{webhook.NewSecret()}, []string{failed}, 9, true
	put(t, s, changed)
	after := get(t, s, "ep_1")
	require.Equal(t, changed, after.Endpoint)
	require.Equal(t, before.FailingSince, after.FailingSince)
	require.Equal(t, before.HeldUntil, after.HeldUntil)
	require.Equal(t, 2, after.Pending)

	changed.URL = "https://example.net/"
	put(t, s, changed)
	after = get(t, s, "ep_1")
	require.Equal(t, webhook.Status{Endpoint: changed, Pending: 2}, after)
	require.Equal(t, []string{"ep_1 m_1 #2"}, names(claim(t, s, 5, 5)))

	changed.Tenant = "bank"
	found := notify.FieldErrors(s.Put(t.Context(), changed))
	require.Len(t, found, 1)
	require.Equal(t, "Endpoint.Tenant", found[0].Field)
	require.Equal(t, "shop", get(t, s, "ep_1").Tenant)
}

func checkDelete(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"), endpoint("ep_2"))
	add(t, s, "m_1", "m_2")
	claims := claim(t, s, 1, 5)
	require.Len(t, claims, 2)
	require.NoError(t, s.Delete(t.Context(), "ep_1"))
	for _, c := range claims {
		err := s.Finish(t.Context(), c, webhook.Outcome{Attempt: attempt(c, 1, "")})
		require.Equal(t, c.Status.ID == "ep_1", err != nil)
	}
	require.Equal(t, []string{"ep_2 m_2 #1"}, names(claim(t, s, 20, 5)))
	put(t, s, endpoint("ep_1"))
	again := get(t, s, "ep_1")
	require.Zero(t, again.Pending)
	page, err := s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "ep_1"})
	require.NoError(t, err)
	require.Empty(t, page.Attempts)
}

// checkReplaced: a call of an endpoint that was deleted meanwhile says nothing to
// the one that has its ID now, which may be somebody else's.
func checkReplaced(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"))
	add(t, s, "m_1")
	c := claim(t, s, 0, 1)[0]
	require.NoError(t, s.Delete(t.Context(), "ep_1"))
	put(t, s, endpoint("ep_1", func(e *webhook.Endpoint) { e.Tenant = "bank" }))
	before := get(t, s, "ep_1")
	o := webhook.Outcome{Attempt: attempt(c, 1, webhook.FailureGone), Disable: webhook.DisabledGone}
	require.ErrorIs(t, s.Finish(t.Context(), c, o), notify.ErrNotFound)
	require.Equal(t, before, get(t, s, "ep_1"))
	page, err := s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "ep_1"})
	require.NoError(t, err)
	require.Empty(t, page.Attempts)
}

func checkList(t *testing.T, s webhook.Store) {
	var all, even, shop, bank, none, off []string
	for i := range 25 {
		e := endpoint(fmt.Sprintf("ep_%02d", i))
		switch {
		case i%5 == 0:
			e.Tenant = "bank"
			bank = append(bank, e.ID)
		case i%5 == 3:
			e.Tenant = ""
			none = append(none, e.ID)
			if i%2 == 1 {
				off = append(off, e.ID)
			}
		default:
			shop = append(shop, e.ID)
		}
		put(t, s, e)
		all = append(all, e.ID)
		if i%2 == 0 {
			even = append(even, e.ID)
		} else {
			require.NoError(t, s.Switch(t.Context(), e.ID, webhook.DisabledByHost, began))
		}
	}
	for _, limit := range []int{0, 1, 2, 4, 24, 25, 500} {
		for want, q := range map[*[]string]webhook.Query{
			&all: {AllTenants: true}, &even: {AllTenants: true, Disabled: new(false)},
			&shop: {Tenant: "shop"}, &bank: {Tenant: "bank"}, &none: {}, &off: {Disabled: new(true)},
		} {
			var got []string
			for q.Limit = limit; ; {
				page, err := s.List(t.Context(), q)
				require.NoError(t, err)
				for _, e := range page.Endpoints {
					require.Equal(t, get(t, s, e.ID), e)
					got = append(got, e.ID)
				}
				if q.After = page.Next; q.After == "" {
					break
				}
				require.Len(t, page.Endpoints, limit)
			}
			require.Equal(t, *want, got, "%+v", q)
		}
	}
	page, err := s.List(t.Context(), webhook.Query{Tenant: "Shop"})
	require.NoError(t, err)
	require.Empty(t, page.Endpoints)
}

func checkBadQueries(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"))
	_, err := s.List(t.Context(), webhook.Query{AllTenants: true, Tenant: "shop"})
	found := notify.FieldErrors(err)
	require.Len(t, found, 1)
	require.Equal(t, "Query.AllTenants", found[0].Field)
	for _, limit := range []int{-1, 501} {
		_, err := s.List(t.Context(), webhook.Query{Limit: limit})
		require.Len(t, notify.FieldErrors(err), 1)
		_, err = s.List(t.Context(), webhook.Query{Limit: limit, AllTenants: true, Tenant: "shop"})
		require.Len(t, notify.FieldErrors(err), 2)
		_, err = s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "ep_1", Limit: limit})
		require.Len(t, notify.FieldErrors(err), 1)
	}
	for _, after := range []string{"x", "0", "-1", "01", "99999999999999999999"} {
		_, err := s.Attempts(t.Context(), webhook.AttemptQuery{EndpointID: "ep_1", After: after})
		require.Len(t, notify.FieldErrors(err), 1, after)
	}
}

func checkDisabled(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"))
	add(t, s, "m_1")
	c := claim(t, s, 0, 1)[0]
	fail(t, s, c, 0, 1)
	require.NoError(t, s.Switch(t.Context(), "ep_1", webhook.DisabledByHost, at(1)))
	off := get(t, s, "ep_1")
	require.Equal(t, webhook.DisabledByHost, off.Disabled)
	require.Equal(t, at(1), off.DisabledAt.UTC())
	require.Empty(t, claim(t, s, 5, 5))
	count, err := s.Add(t.Context(), message("m_2", 2))
	require.NoError(t, err)
	require.Zero(t, count)
	require.Equal(t, 1, get(t, s, "ep_1").Pending)

	require.NoError(t, s.Switch(t.Context(), "ep_1", "", at(6)))
	on := get(t, s, "ep_1")
	require.Empty(t, on.Disabled)
	require.True(t, on.DisabledAt.IsZero())
	require.True(t, on.FailingSince.IsZero())
	require.Equal(t, []string{"ep_1 m_1 #2"}, names(claim(t, s, 6, 5)))
}

// checkDisabling: an endpoint that has succeeded since is not failing.
func checkDisabling(t *testing.T, s webhook.Store) {
	put(t, s, endpoint("ep_1"), endpoint("ep_2"), endpoint("ep_3"))
	add(t, s, "m_1")
	for _, c := range claim(t, s, 0, 5) {
		fail(t, s, c, 0, 1)
	}
	for _, c := range claim(t, s, 1, 5) {
		require.Equal(t, began, c.Status.FailingSince.UTC())
		o := webhook.Outcome{Attempt: attempt(c, 2, webhook.FailureStatus), Next: at(3), Disable: webhook.DisabledFailing}
		switch c.Status.ID {
		case "ep_2":
			o.Disable, o.Next = webhook.DisabledGone, time.Time{}
		case "ep_3":
			c.Status.FailingSince = at(-5)
		}
		require.NoError(t, s.Finish(t.Context(), c, o))
	}
	one, two, three := get(t, s, "ep_1"), get(t, s, "ep_2"), get(t, s, "ep_3")
	require.Equal(t, webhook.DisabledFailing, one.Disabled)
	require.Equal(t, at(2).Add(25*time.Millisecond), one.DisabledAt.UTC())
	require.Equal(t, 1, one.Pending)
	require.Equal(t, webhook.DisabledGone, two.Disabled)
	require.Zero(t, two.Pending)
	require.Empty(t, three.Disabled)
	require.Equal(t, []string{"ep_3 m_1 #3"}, names(claim(t, s, 4, 5)))
}
