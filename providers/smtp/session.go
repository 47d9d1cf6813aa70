package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// session is one connection to the server: greeted, encrypted, logged in. One
// goroutine uses it at a time; abort may be called from any.
type session struct {
	raw       net.Conn
	client    *smtp.Client
	reused    bool
	idleSince time.Time
}

// abort cuts the connection, which ends whatever waits on it.
func (s *session) abort() { _ = s.raw.Close() }

// quit says goodbye, if it can by the deadline, and closes the connection.
func (s *session) quit(deadline time.Time) {
	_ = s.raw.SetDeadline(deadline)
	_ = s.client.Quit()
	s.abort()
}

// while runs fn, and cuts the connection when ctx ends. It tells whether the
// connection was left alone. An error of fn that came of the cut then says so.
func (s *session) while(ctx context.Context, fn func() error) (alive bool) {
	stop := context.AfterFunc(ctx, s.abort)
	err := fn()
	if stop() {
		return true
	}
	var step *stepError
	if errors.As(err, &step) && step.reply == nil {
		step.err = ctx.Err()
	}
	return false
}

// dial opens a session.
func (p *Provider) dial(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", p.Addr)
	if err != nil {
		return nil, failed(stepDial, err)
	}
	s := &session{raw: raw}
	alive := s.while(ctx, func() error {
		err = p.open(ctx, s)
		return err
	})
	if !alive && err == nil {
		err = failed(stepHello, ctx.Err())
	}
	if err != nil {
		s.abort()
		return nil, err
	}
	return s, nil
}

func (p *Provider) open(ctx context.Context, s *session) (err error) {
	conn := s.raw
	if p.TLS == TLSImplicit {
		encrypted := tls.Client(s.raw, p.TLSConfig)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return failed(stepTLS, err)
		}
		conn = encrypted
	}
	if s.client, err = smtp.NewClient(conn, p.host); err != nil {
		return failed(stepHello, err)
	}
	if err := s.client.Hello(p.Hello); err != nil {
		return failed(stepHello, err)
	}
	if p.startTLS {
		offered, _ := s.client.Extension("STARTTLS")
		if !offered && p.required {
			return failed(stepTLS, errNoStartTLS)
		}
		if offered {
			if err := s.client.StartTLS(p.TLSConfig); err != nil {
				return failed(stepTLS, err)
			}
		}
	}
	if p.Username == "" {
		return nil
	}
	auth, err := p.mechanism(s.client)
	if err != nil {
		return failed(stepAuth, err)
	}
	return failed(stepAuth, s.client.Auth(auth))
}

// mechanism returns the first of its list that the server offers. Where the
// connection is encrypted, a mechanism that shows the password to the server is
// better than one that makes the server store it (CRAM-MD5).
func (p *Provider) mechanism(c *smtp.Client) (smtp.Auth, error) {
	_, params := c.Extension("AUTH")
	offered := strings.Fields(strings.ToUpper(params))
	state, encrypted := c.TLSConnectionState()
	type choice struct {
		name string
		auth func() smtp.Auth
	}
	user, pass := p.Username, p.Password
	scram256 := choice{"SCRAM-SHA-256", func() smtp.Auth { return smtp.ScramSHA256Auth(user, pass) }}
	scram1 := choice{"SCRAM-SHA-1", func() smtp.Auth { return smtp.ScramSHA1Auth(user, pass) }}
	plain := choice{"PLAIN", func() smtp.Auth { return smtp.PlainAuth("", user, pass, p.host, false) }}
	login := choice{"LOGIN", func() smtp.Auth { return smtp.LoginAuth(user, pass, p.host, false) }}
	cram := choice{"CRAM-MD5", func() smtp.Auth { return smtp.CRAMMD5Auth(user, pass) }}

	choices := []choice{scram256, scram1, cram, plain, login}
	if encrypted {
		choices = []choice{
			{"SCRAM-SHA-256-PLUS", func() smtp.Auth { return smtp.ScramSHA256PlusAuth(user, pass, &state) }},
			scram256,
			{"SCRAM-SHA-1-PLUS", func() smtp.Auth { return smtp.ScramSHA1PlusAuth(user, pass, &state) }},
			scram1, plain, login, cram,
		}
	}
	for _, one := range choices {
		if slices.Contains(offered, one.name) {
			return one.auth(), nil
		}
	}
	return nil, errNoMechanism
}
