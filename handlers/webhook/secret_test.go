package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	s := webhook.NewSecret()
	require.NotEqual(t, s, webhook.NewSecret())
	again, err := webhook.ParseSecret(s.Reveal())
	require.NoError(t, err)
	require.Equal(t, s, again)
	require.True(t, webhook.Secret{}.IsZero())
	require.False(t, s.IsZero())

	of := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, ok := range []string{"whsec_" + of(24), "whsec_" + of(64), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		parsed, err := webhook.ParseSecret(ok)
		require.NoError(t, err)
		require.Equal(t, ok, parsed.Reveal())
	}
	for _, bad := range []string{
		"", "whsec_", of(32), "whsk_" + of(32), "whsec_" + of(23), "whsec_" + of(65), "whsec_" + strings.Repeat("CANARY", 5) + "?",
		"whsec_" + of(32) + "\n", "whsec_" + of(32)[:42], "WHSEC_" + of(32), " whsec_" + of(32),
	} {
		_, err := webhook.ParseSecret(bad)
		require.Len(t, notify.FieldErrors(err), 1, bad)
		require.NotContains(t, err.Error(), "CANARY")
	}
}

func TestASecretHidesItself(t *testing.T) {
	t.Parallel()
	s := webhook.NewSecret()
	e := webhook.Endpoint{ID: "ep_1", URL: "https://canary:canary@example.com/?canary", Secrets: []webhook.Secret{s}}
	status := webhook.Status{Endpoint: e}
	asJSON, err := json.Marshal([]any{s, &s, e.Secrets})
	require.NoError(t, err)
	text := string(asJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, e) + fmt.Sprintf(verb, status) + fmt.Sprintf(verb, &e) +
			fmt.Sprintf(verb, webhook.Claim{Status: status}) + fmt.Sprintf(verb, []webhook.Secret{s}) + fmt.Sprintf(verb, webhook.Page{Endpoints: []webhook.Status{status}})
	}
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), "whsec_"))
	require.NotContains(t, text, strings.TrimPrefix(s.Reveal(), "whsec_"))
	require.NotContains(t, text, string(raw))
	require.NotContains(t, text, fmt.Sprintf("%x", raw))
	require.NotContains(t, text, fmt.Sprint(raw))
	require.NotContains(t, text, "canary")
	require.Contains(t, text, "ep_1")
}
