package notify_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

func TestRoutesPrintAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for want, route := range map[string]notify.Route{
		"default":                      {},
		"First(push)":                  notify.First(notify.PushChannel),
		"First(push, All(email, sms))": notify.First(notify.PushChannel, notify.All(notify.EmailChannel, notify.SMSChannel)),
		"First(push, email).OnDoubt()": notify.First(notify.PushChannel, notify.EmailChannel).OnDoubt(),
		"All(First(push).OnDoubt(), )": notify.All(notify.First(notify.PushChannel).OnDoubt(), notify.Channel("")),
		"First()":                      notify.First(),
	} {
		require.Equal(t, want, route.String())
		require.Contains(t, fmt.Sprintf("%+v", notify.Accepted{Route: route}), want)
	}
}

func TestARouteOfSharedPartsPrints(t *testing.T) {
	t.Parallel()
	route := notify.First(notify.PushChannel)
	for range 40 {
		route = notify.All(route, route)
	}
	require.Less(t, len(route.String()), 10_000)
}
