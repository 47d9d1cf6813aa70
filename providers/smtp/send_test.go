package smtp_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/providers/smtp"
)

func trust(s *server) *tls.Config { return &tls.Config{RootCAs: s.roots} }

// open returns a provider that is closed with the test.
func open(t testing.TB, c smtp.Config) *smtp.Provider {
	t.Helper()
	if c.From == "" {
		c.From = "shop@example.com"
	}
	p := smtp.New(c)
	require.NoError(t, p.Check())
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func delivery(key string) notify.Delivery[notify.Email] {
	return notify.Delivery[notify.Email]{
		Key: key, Message: notify.Email{To: "ada@example.com", Subject: "Hello", Text: "Hello Ada.\n"},
	}
}

// failure sends, and returns the failure.
func failure(t *testing.T, p *smtp.Provider, d notify.Delivery[notify.Email]) *notify.SendError {
	t.Helper()
	_, err := p.Send(t.Context(), d)
	var sendErr *notify.SendError
	require.ErrorAs(t, err, &sendErr)
	return sendErr
}

func TestReceipt(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{})
	p := open(t, smtp.Config{Addr: s.addr})
	receipt, err := p.Send(t.Context(), delivery("k1"))
	require.NoError(t, err)
	require.Equal(t, "250 2.0.0", receipt.Code)
	require.Regexp(t, `^<[0-9a-f]{32}@example\.com>$`, receipt.MessageID)

	again, err := p.Send(t.Context(), delivery("k1"))
	require.NoError(t, err)
	require.Equal(t, receipt.MessageID, again.MessageID, "one key, one Message-ID")
	other, err := p.Send(t.Context(), delivery("k2"))
	require.NoError(t, err)
	require.NotEqual(t, receipt.MessageID, other.MessageID)
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server serverOptions
		config smtp.Config
		roots  bool // trust the server
		secure bool
		user   string
		fails  *notify.SendError // its verdict and class
	}{
		"auto, not offered": {},
		"auto, offered":     {server: serverOptions{tls: true}, secure: true},
		"auto with roots":   {server: serverOptions{tls: true}, roots: true, secure: true},
		"auto with login": {
			server: serverOptions{tls: true, auth: true}, roots: true, secure: true, user: user,
			config: smtp.Config{Username: user, Password: password},
		},
		"auto with login, not trusted": {
			server: serverOptions{tls: true, auth: true},
			config: smtp.Config{Username: user, Password: password},
			fails:  &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassConfig},
		},
		"auto with login, not offered": {
			server: serverOptions{auth: true}, config: smtp.Config{Username: user, Password: password},
			fails: &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassConfig},
		},
		"starttls": {
			server: serverOptions{tls: true}, roots: true, secure: true, config: smtp.Config{TLS: smtp.TLSStartTLS},
		},
		"starttls, not trusted": {
			server: serverOptions{tls: true}, config: smtp.Config{TLS: smtp.TLSStartTLS},
			fails: &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassConfig},
		},
		"starttls, not offered": {
			config: smtp.Config{TLS: smtp.TLSStartTLS},
			fails:  &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassConfig},
		},
		"implicit": {
			server: serverOptions{implicit: true, auth: true}, roots: true, secure: true, user: user,
			config: smtp.Config{TLS: smtp.TLSImplicit, Username: user, Password: password},
		},
		"implicit, not trusted": {
			server: serverOptions{implicit: true}, config: smtp.Config{TLS: smtp.TLSImplicit},
			fails: &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassConfig},
		},
		"implicit, to a server in the clear": {
			config: smtp.Config{TLS: smtp.TLSImplicit},
			fails:  &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassConfig},
		},
		"none, offered": {server: serverOptions{tls: true}, config: smtp.Config{TLS: smtp.TLSNone}},
		"none with login": {
			server: serverOptions{auth: true}, user: user,
			config: smtp.Config{TLS: smtp.TLSNone, Username: user, Password: password},
		},
		"wrong password": {
			server: serverOptions{tls: true, auth: true}, roots: true,
			config: smtp.Config{Username: user, Password: password + "!"},
			fails:  &notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassAuth},
		},
		"login not offered": {
			server: serverOptions{tls: true}, roots: true, config: smtp.Config{Username: user, Password: password},
			fails: &notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassConfig},
		},
		"login required": {
			server: serverOptions{auth: true},
			fails:  &notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassAuth},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.server)
			test.config.Addr = s.addr
			if test.roots {
				test.config.TLSConfig = trust(s)
			}
			p := open(t, test.config)
			if test.fails != nil {
				err := failure(t, p, delivery("k"))
				require.Equal(t, test.fails.Verdict, err.Verdict, err)
				require.Equal(t, test.fails.Class, err.Class, err)
				require.NotContains(t, err.Error(), password)
				require.Empty(t, s.received())
				return
			}
			for range 2 {
				_, err := p.Send(t.Context(), delivery("k"))
				require.NoError(t, err)
			}
			mail := s.received()[1]
			require.Equal(t, test.secure, mail.secure)
			require.Equal(t, test.user, mail.user)
			require.Equal(t, 1, s.connections())
		})
	}
}

func TestMechanism(t *testing.T) {
	t.Parallel()
	for offered, want := range map[string]string{
		"LOGIN PLAIN":                        "PLAIN",
		"LOGIN":                              "LOGIN",
		"PLAIN CRAM-MD5":                     "CRAM-MD5",
		"CRAM-MD5 SCRAM-SHA-1 PLAIN":         "SCRAM-SHA-1",
		"SCRAM-SHA-1 SCRAM-SHA-256 CRAM-MD5": "SCRAM-SHA-256",
		"SCRAM-SHA-256-PLUS PLAIN":           "PLAIN", // no TLS to bind to
	} {
		s := follow(t, script{replies: map[string]string{
			"EHLO": "250-mx.example.com\r\n250 AUTH " + offered, "AUTH": "535 5.7.8 no",
		}})
		p := open(t, smtp.Config{Addr: s.addr, TLS: smtp.TLSNone, Username: user, Password: password})
		err := failure(t, p, delivery("k"))
		require.Equal(t, notify.ClassAuth, err.Class, offered)
		require.Equal(t, "535 5.7.8", err.Code)
		require.Equal(t, want, strings.Fields(s.heard()[1])[1], offered)
	}
}

func TestMechanismEncrypted(t *testing.T) {
	t.Parallel()
	for offered, want := range map[string]string{
		"SCRAM-SHA-256 SCRAM-SHA-256-PLUS PLAIN": "SCRAM-SHA-256-PLUS",
		"SCRAM-SHA-1-PLUS SCRAM-SHA-256":         "SCRAM-SHA-256",
		"SCRAM-SHA-1 SCRAM-SHA-1-PLUS":           "SCRAM-SHA-1-PLUS",
		"CRAM-MD5 PLAIN":                         "PLAIN",
		"CRAM-MD5 LOGIN":                         "LOGIN",
		"CRAM-MD5 NTLM":                          "CRAM-MD5",
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		config, roots := certificate(t)
		s := followOn(t, tls.NewListener(listener, config), script{replies: map[string]string{
			"EHLO": "250-mx.example.com\r\n250 AUTH " + offered, "AUTH": "454 4.7.0 later",
		}})
		p := open(t, smtp.Config{
			Addr: s.addr, TLS: smtp.TLSImplicit, TLSConfig: &tls.Config{RootCAs: roots}, Username: user, Password: password,
		})
		failed := failure(t, p, delivery("k"))
		require.Equal(t, notify.VerdictTemporary, failed.Verdict)
		require.Equal(t, notify.ClassService, failed.Class)
		require.Equal(t, want, strings.Fields(s.heard()[1])[1], offered)
	}
}

func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{})
	p := open(t, smtp.Config{Addr: s.addr})
	for range 10 {
		_, err := p.Send(t.Context(), delivery("k"))
		require.NoError(t, err)
	}
	require.Len(t, s.received(), 10)
	require.Equal(t, 1, s.connections())
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{})
	p := open(t, smtp.Config{Addr: s.addr, MaxConns: 3})
	var all sync.WaitGroup
	for range 60 {
		all.Go(func() {
			if _, err := p.Send(t.Context(), delivery("k")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Len(t, s.received(), 60)
	require.LessOrEqual(t, s.connections(), 3)
}

func TestWaitingForAConnectionEnds(t *testing.T) {
	t.Parallel()
	s := follow(t, script{hang: "RCPT"})
	p := open(t, smtp.Config{Addr: s.addr, MaxConns: 1})
	first, cancelFirst := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := p.Send(first, delivery("first"))
		ended <- err
	}()
	<-s.reached
	second, cancelSecond := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancelSecond()
	_, err := p.Send(second, delivery("second"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, notify.VerdictTemporary, notify.AsSendError(err).Verdict)
	cancelFirst()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Equal(t, 1, s.count())
}

func TestRefusedMailKeepsTheConnection(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"MAIL", "RCPT", "DATA", "answer"} {
		s := follow(t, script{replies: map[string]string{point: "550 5.1.1 no"}})
		p := open(t, smtp.Config{Addr: s.addr})
		for range 3 {
			require.Equal(t, notify.VerdictPermanent, failure(t, p, delivery("k")).Verdict)
		}
		require.Equal(t, 1, s.count(), point)
	}
}

// TestDeadConnection has a connection die while it is idle, and so be noticed
// by the second mail.
func TestDeadConnection(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		first, second script
		connections   int
		verdict       notify.Verdict // of the second mail; empty: sent
	}{
		"cut at RSET":             {first: script{mails: 1, cut: "RSET"}, connections: 2},
		"cut at MAIL":             {first: script{mails: 1, cut: "MAIL"}, connections: 2},
		"421 at RSET":             {first: script{mails: 1, replies: map[string]string{"RSET": "421 4.4.2 idle too long"}}, connections: 2},
		"421 at MAIL":             {first: script{mails: 1, replies: map[string]string{"MAIL": "421 4.7.0 too many mails"}}, connections: 2},
		"the new one is cut, too": {first: script{mails: 1, cut: "RSET"}, second: script{cut: "MAIL"}, connections: 2, verdict: notify.VerdictTemporary},
		"cut at RCPT":             {first: script{mails: 1, cut: "RCPT"}, connections: 1, verdict: notify.VerdictTemporary},
		"cut at the answer":       {first: script{mails: 1, cut: "answer"}, connections: 1, verdict: notify.VerdictUncertain},
		"refused at MAIL":         {first: script{mails: 1, replies: map[string]string{"MAIL": "451 4.3.0 later"}}, connections: 1, verdict: notify.VerdictTemporary},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := follow(t, test.first, test.second)
			p := open(t, smtp.Config{Addr: s.addr})
			_, err := p.Send(t.Context(), delivery("k1"))
			require.NoError(t, err)
			require.NotContains(t, s.heard(), "RSET", "a new connection needs none")
			_, err = p.Send(t.Context(), delivery("k2"))
			if test.verdict == "" {
				require.NoError(t, err)
			} else {
				require.Equal(t, test.verdict, notify.AsSendError(err).Verdict, err)
			}
			require.Equal(t, test.connections, s.count())
		})
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	s := follow(t, script{})
	p := open(t, smtp.Config{Addr: s.addr, IdleTimeout: 10 * time.Millisecond})
	_, err := p.Send(t.Context(), delivery("k"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		heard := s.heard()
		return heard[len(heard)-1] == "QUIT"
	}, time.Minute, time.Millisecond)
	_, err = p.Send(t.Context(), delivery("k"))
	require.NoError(t, err)
	require.Equal(t, 2, s.count())
}

func TestClose(t *testing.T) {
	t.Parallel()
	s := follow(t, script{})
	p := smtp.New(smtp.Config{Addr: s.addr, From: "shop@example.com"})
	_, err := p.Send(t.Context(), delivery("k"))
	require.NoError(t, err)
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	require.Contains(t, s.heard(), "QUIT")
	_, err = p.Send(t.Context(), delivery("k"))
	require.ErrorIs(t, err, notify.ErrClosed)
	require.Equal(t, notify.VerdictTemporary, notify.AsSendError(err).Verdict)
}

// TestCloseWhileSending closes the provider while a call is under way.
func TestCloseWhileSending(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{})
	opened, proceed := make(chan struct{}), make(chan struct{})
	p := smtp.New(smtp.Config{
		Addr: s.addr, From: "shop@example.com",
		OpenAttachment: func(context.Context, string) (io.ReadCloser, error) {
			close(opened)
			<-proceed
			return io.NopCloser(strings.NewReader("x")), nil
		},
	})
	d := delivery("k")
	d.Message.Attachments = []notify.Attachment{{Name: "a", Ref: "r"}}
	sent := make(chan error)
	go func() {
		_, err := p.Send(t.Context(), d)
		sent <- err
	}()
	<-opened
	require.NoError(t, p.Close())
	close(proceed)
	require.NoError(t, <-sent)
	require.Len(t, s.received(), 1) // goleak looks whether its connection is closed
}
