package smtp

import (
	"context"
	"fmt"

	"github.com/seed-6c01d079/notify"
)

// Provider sends e-mail through one server. It is safe for concurrent use.
type Provider struct {
	settings
	problems error
	pool     *pool
}

var (
	_ notify.Provider[notify.Email] = (*Provider)(nil)
	_ notify.Capable                = (*Provider)(nil)
)

// New returns a provider that connects when it first sends. What is wrong with
// the Config comes from [Provider.Check], and from every Send.
func New(config Config) *Provider {
	s, err := config.complete()
	return &Provider{settings: s, problems: err, pool: newPool(max(s.MaxConns, 1), s.IdleTimeout)}
}

// Name returns Config.Name, or "smtp".
func (p *Provider) Name() string { return p.settings.Name }

// Check returns every problem of the Config, as [notify.FieldError] joined, or
// nil. It does not connect.
func (p *Provider) Check() error { return p.problems }

// Capabilities says that as many calls are made at once as there are connections.
// A mail server honours no key, tells nothing later, and cannot be asked.
func (p *Provider) Capabilities() notify.Capabilities {
	return notify.Capabilities{Concurrency: p.settings.MaxConns}
}

// String returns the provider's name, so that printing a Provider shows no
// password.
func (p *Provider) String() string { return "smtp.Provider " + p.settings.Name }

// GoString returns what String does.
func (p *Provider) GoString() string { return p.String() }

// Send sends the message, and returns once the server has answered for it. The
// receipt's MessageID is the mail's Message-ID with its angle brackets, and its
// Code the server's, such as "250 2.0.0".
//
// Every failure is a [notify.SendError]. A message that cannot be sent as it is
// (a line break in a header field, an invalid address, an attachment that
// cannot be opened) is permanent, and nothing of it is sent. A failure before
// the content is sent says what the server said, or is temporary. From then on
// it is uncertain, unless the server said no, or an attachment's reader failed:
// then the mail is cut off before its end, and the server must drop it
// (RFC 5321, section 4.1.1.10).
func (p *Provider) Send(ctx context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	if p.problems != nil {
		return notify.Receipt{}, &notify.SendError{
			Verdict: notify.VerdictPermanent, Class: notify.ClassConfig, Err: fmt.Errorf("smtp: %w", p.problems),
		}
	}
	m, err := p.compose(d)
	if err != nil {
		return notify.Receipt{}, err
	}
	if err := p.pool.acquire(ctx); err != nil {
		return notify.Receipt{}, classify(ctx, &stepError{step: stepDial, err: err})
	}
	defer p.pool.release()

	code, err := p.attempt(ctx, m)
	if err != nil {
		return notify.Receipt{}, classify(ctx, err)
	}
	return notify.Receipt{MessageID: m.id, Code: code}, nil
}

// attempt sends m over an idle connection, or a new one. A server may have
// closed an idle one long ago; that shows before it answers MAIL, when nothing
// is sent yet, so a new connection is tried then, once.
func (p *Provider) attempt(ctx context.Context, m *message) (code string, err error) {
	if s := p.pool.take(); s != nil {
		code, err = p.transact(ctx, s, m)
		if !stale(err) || ctx.Err() != nil {
			return code, err
		}
	}
	s, err := p.dial(ctx)
	if err != nil {
		return "", err
	}
	return p.transact(ctx, s, m)
}

// transact sends m over s, and keeps s for the next mail if it is still good.
func (p *Provider) transact(ctx context.Context, s *session, m *message) (code string, err error) {
	good := false
	defer func() { // also when Config.OpenAttachment panics
		if good {
			p.pool.put(s)
		} else {
			s.abort()
		}
	}()
	alive := s.while(ctx, func() error {
		code, err = s.send(ctx, m)
		return err
	})
	good = alive && !broken(err)
	return code, err
}

// Close closes the idle connections, in at most a second. A call that is under
// way ends as it would, and its connection with it; a later call fails with
// [notify.ErrClosed]. Closing again does nothing. It always returns nil.
func (p *Provider) Close() error {
	p.pool.close()
	return nil
}
