package webhook_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// The test vector of the specification's libraries.
func TestSignsAsOthersDo(t *testing.T) {
	t.Parallel()
	s, err := webhook.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	require.NoError(t, err)
	got := webhook.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), s)
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", got)
}

func header(id string, at time.Time, signature string) http.Header {
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
	h.Set("webhook-signature", signature)
	return h
}

func TestVerify(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, other := webhook.NewSecret(), webhook.NewSecret()
		body, now := []byte(`{"type":"x"}`), time.Now()
		good := webhook.Sign("e_1", now, body, one)
		set := func(name, value string) http.Header {
			h := header("e_1", now, good)
			h.Set(name, value)
			return h
		}
		ok := func(h http.Header, secrets ...webhook.Secret) {
			t.Helper()
			require.NoError(t, webhook.Verify(h, body, secrets...))
		}
		bad := func(why string, h http.Header, secrets ...webhook.Secret) {
			t.Helper()
			err := webhook.Verify(h, body, secrets...)
			require.ErrorIs(t, err, webhook.ErrUnverified)
			require.ErrorContains(t, err, why)
		}
		h := header("e_1", now, good)
		ok(h, one)
		ok(h, other, one)
		ok(header("e_1", now, webhook.Sign("e_1", now, body, other, one)), one)
		ok(header("e_1", now, "v1a,AAAA v2 , v1, "+good), one)
		bad("no signature fits", h, other)
		bad("no secret", h)
		bad("no signature fits", h, webhook.Secret{})
		empty := webhook.Sign("e_1", now, body, webhook.Secret{})
		bad("no signature fits", header("e_1", now, empty), webhook.Secret{}, one)
		bad("missing", http.Header{}, one)
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			bad("missing", set(name, ""), one)
		}
		bad("no signature fits", set("webhook-id", "e_2"), one)
		bad("a dot", set("webhook-id", "e.1"), one)
		bad("no signature fits", set("webhook-timestamp", fmt.Sprint(now.Unix()+1)), one)
		for _, text := range []string{"x", "1e9", " 1", "+" + fmt.Sprint(now.Unix()), "0" + fmt.Sprint(now.Unix()), "99999999999999999999"} {
			bad("not a number of seconds", set("webhook-timestamp", text), one)
		}
		for _, signature := range []string{
			strings.TrimPrefix(good, "v1,"), "v1a" + strings.TrimPrefix(good, "v1"), "v1," + good, good + "=", strings.ToLower(good),
			strings.ReplaceAll(good, "v1,", "v1;"), "v1,", " ", strings.Repeat("v1,x ", 16) + good,
		} {
			bad("no signature fits", set("webhook-signature", signature), one)
		}
		require.Error(t, webhook.Verify(h, append(body, ' '), one))

		time.Sleep(5 * time.Minute)
		ok(h, one)
		time.Sleep(time.Second)
		bad("over 5m0s ago", h, one)
		ahead := func(d time.Duration) http.Header {
			at := time.Now().Add(d)
			return header("e_1", at, webhook.Sign("e_1", at, body, one))
		}
		ok(ahead(5*time.Minute), one)
		bad("over 5m0s ahead", ahead(5*time.Minute+time.Second), one)
	})
}

func TestIDsAreTold(t *testing.T) {
	t.Parallel()
	require.Equal(t, "019a-b_c/1%2E2/sent", webhook.HeaderValue("019a-b_c/1.2/sent"))
	require.Equal(t, "%25%0D%0A%C3%A4", webhook.HeaderValue("%\r\nä"))
	require.Regexp(t, `^sha256\+[0-9a-f]{64}$`, webhook.HeaderValue(strings.Repeat("x", 257)))
	rapid.Check(t, func(t *rapid.T) {
		one, two := rapid.String().Draw(t, "one"), rapid.String().Draw(t, "two")
		a, b := webhook.HeaderValue(one), webhook.HeaderValue(two)
		require.Equal(t, one == two, a == b)
		require.NotContains(t, a, ".")
		require.LessOrEqual(t, len(a), 256)
	})
}

func FuzzVerify(f *testing.F) {
	secret := webhook.NewSecret()
	f.Add("e_1", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", []byte("{}"))
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}
		require.Error(t, webhook.Verify(h, body, secret))
	})
}
