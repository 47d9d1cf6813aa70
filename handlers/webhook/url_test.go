package webhook_test

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// What is accepted leads to where it says: to a public address in its usual form,
// or to a name that nobody takes for an address.
func FuzzURL(f *testing.F) {
	hostile := hostileURLs(443)
	seeds := []string{"https://example.com/hooks?token=1", "https://[2606:4700::1111]:443/", "https://1.1.1.1"}
	for i := 0; i < len(hostile); i += 7 { // more take a fuzzer too long to begin
		seeds = append(seeds, hostile[i])
	}
	for _, u := range seeds {
		f.Add(u)
		if rest, ok := strings.CutPrefix(u, "http://"); ok {
			f.Add("https://" + rest)
		}
	}
	name := regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?\.)+[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?$`)
	f.Fuzz(func(t *testing.T, text string) {
		if webhook.URLProblem(webhook.Network{}, text) != "" {
			return
		}
		u, err := url.Parse(text)
		require.NoError(t, err)
		require.Equal(t, "https", u.Scheme)
		require.Nil(t, u.User)
		require.Empty(t, u.Opaque)
		require.Contains(t, []string{"", "443"}, u.Port())
		again, err := url.Parse(u.String())
		require.NoError(t, err)
		require.Equal(t, u.Host, again.Host)
		if a, err := netip.ParseAddr(u.Hostname()); err == nil {
			require.True(t, webhook.Allowed(webhook.Network{}, a))
			return
		}
		require.Regexp(t, name, u.Hostname())
		require.NotRegexp(t, `(^|\.)(\d+|0[xX][0-9a-fA-F]*)$`, u.Hostname())
	})
}
