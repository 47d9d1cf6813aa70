package smtp_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/providers/smtp"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config smtp.Config
		fields []string
	}{
		"least": {smtp.Config{Addr: "localhost:25", From: "shop@example.com"}, nil},
		"most": {smtp.Config{
			Name: "mail-1", Addr: "[::1]:587", From: "Läden <shop@example.com>", ReplyTo: "Help <help@example.com>",
			Username: "u", Password: "p", TLS: smtp.TLSNone, Hello: "[127.0.0.1]", Timeout: 1, MaxConns: 1, IdleTimeout: 1,
		}, nil},
		"zero": {smtp.Config{}, []string{"Addr", "From"}},
		"all": {smtp.Config{
			Name: "My Mail", Addr: "localhost", From: "shop@example.com\r\nBcc: eve@example.com", ReplyTo: "nobody",
			Password: "p", TLS: "ssl", Hello: "my host", Timeout: -1, MaxConns: -1, IdleTimeout: -1,
		}, []string{"Name", "Addr", "From", "ReplyTo", "TLS", "Username", "Hello", "Timeout", "MaxConns", "IdleTimeout"}},
		"port":  {smtp.Config{Addr: "localhost:smtp", From: "shop@example.com"}, []string{"Addr"}},
		"clear": {smtp.Config{Addr: "mx.example.com:25", From: "shop@example.com", Username: "u", TLS: smtp.TLSNone}, []string{"TLS"}},
	} {
		p := smtp.New(test.config)
		var fields []string
		for _, problem := range notify.FieldErrors(p.Check()) {
			fields = append(fields, problem.Field)
			require.NotContains(t, problem.Error(), "eve")
		}
		require.Equal(t, test.fields, fields, name)
		if test.fields != nil {
			err := failure(t, p, delivery("k"))
			require.Equal(t, notify.VerdictPermanent, err.Verdict)
			require.Equal(t, notify.ClassConfig, err.Class)
			require.Len(t, notify.FieldErrors(err), len(test.fields))
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "smtp", smtp.New(smtp.Config{}).Name())
	require.Equal(t, "mail-1", smtp.New(smtp.Config{Name: "mail-1"}).Name())
}

func TestPrintingShowsNoPassword(t *testing.T) {
	t.Parallel()
	p := smtp.New(smtp.Config{Addr: "localhost:25", From: "shop@example.com", Username: user, Password: password})
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", p, p, p, p), password)
}
