package notify

import (
	"net/mail"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddressProblem(t *testing.T) {
	t.Parallel()
	tests := map[Channel]struct{ good, bad []string }{
		EmailChannel: {
			good: []string{
				"a@example.com", "A.b+c-d_e@sub.Example.co.uk", "!#$%&'*+-/=?^_`{|}~@example.com", "root@localhost",
				"jörg@example.de", "用户@例え.jp", "a@xn--bcher-kva.example", strings.Repeat("a", 64) + "@example.com",
				"a@1and1.de", "a@b.c1",
			},
			bad: []string{
				"", "a", "@", "a@", "@example.com", "a@b", "a@b@example.com", "Ann <a@example.com>", "<a@example.com>", "a@example.com (Ann)",
				`"a b"@example.com`, "a b@example.com", ".a@example.com", "a.@example.com", "a..b@example.com", "a@.com", "a@example..com",
				"a@example.com.", "a@-example.com", "a@example-.com", "a@exam_ple.com", "a@[127.0.0.1]", "a@127.0.0.1", "a@example.com\r\nBcc: b@example.com",
				"a\x00@example.com", "a\x7f@example.com", "a@example.com\n", " a@example.com", "\xff@example.com", "a@\xff.com", "ä\u0085@example.com",
				"a\u2028@example.com", "a\u202e@example.com", "a,b@example.com", "mailto:a@example.com", strings.Repeat("a", 65) + "@example.com",
				"a@" + strings.Repeat("a", 64) + ".com", "a@" + strings.Repeat("a.", 126) + "com",
			},
		},
		SMSChannel: {
			good: []string{"+49301234567", "+2901234", "+123456789012345"},
			bad:  []string{"", "+", "49301234567", "0049301234567", "+0301234567", "+49 30 1234567", "+49-301234567", "+123456", "+1234567890123456", "+4930123456٧", "+49301234567\n"},
		},
		PushChannel: {
			good: []string{"t", `{"endpoint":"https://push.example.com/x","keys":{}}`, strings.Repeat("t", 4096), "ü"},
			bad:  []string{"", "a\nb", "a\x00", "\xff", "a\u0085", "a\u2029", strings.Repeat("t", 4097)},
		},
		"pager": {good: []string{"42"}, bad: []string{"", "4\r2"}},
	}
	for channel, test := range tests {
		for _, address := range test.good {
			require.Empty(t, addressProblem(channel, address), "%s %q", channel, address)
			if channel == EmailChannel {
				parsed, err := mail.ParseAddress(address)
				require.NoError(t, err)
				require.Equal(t, address, parsed.Address)
			}
		}
		for _, address := range test.bad {
			require.NotEmpty(t, addressProblem(channel, address), "%s %q", channel, address)
		}
	}
}

func TestAddressHash(t *testing.T) {
	t.Parallel()
	key := []byte("key")
	hash := newAddressHasher(key).hash(EmailChannel, "Ann@example.com")
	// printf 'email\0Ann@example.com' | openssl dgst -sha256 -hmac key -binary | head -c 16 | base64
	require.Equal(t, "dqEM94jFnzHk665afCmKWg", hash)
	require.Equal(t, hash, newAddressHasher(key).hash(EmailChannel, "Ann@EXAMPLE.com"))
	require.NotEqual(t, hash, newAddressHasher(key).hash(EmailChannel, "ann@example.com"), "a local part may tell cases apart")
	require.NotEqual(t, hash, newAddressHasher([]byte("other")).hash(EmailChannel, "Ann@example.com"))
	require.NotEqual(t, hash, newAddressHasher(key).hash(PushChannel, "Ann@example.com"))
	require.NotEqual(t, newAddressHasher(key).hash(PushChannel, "a@B"), newAddressHasher(key).hash(PushChannel, "a@b"), "only mail has domains")
	require.Empty(t, newAddressHasher(nil).hash(EmailChannel, "Ann@example.com"), "no hash without a key")
	require.NotEmpty(t, newAddressHasher(key).hash(EmailChannel, ""))
}
