package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"

	"github.com/seed-6c01d079/notify"
)

var (
	errNoStartTLS  = errors.New("the server does not offer STARTTLS; set Config.TLS, or use another port")
	errNoMechanism = errors.New("the server offers no login mechanism that is known and safe here")
	errNotSMTP     = errors.New("the server's answer is not SMTP")
	errNilReader   = errors.New("the opener returned no reader")
	errNoUTF8      = errors.New("smtp: the server does not take addresses beyond ASCII (SMTPUTF8)")
	errNoOpener    = errors.New("smtp: an attachment has a Ref, but Config.OpenAttachment is not set")
)

// step is a part of the dialogue.
type step string

const (
	stepDial       step = "connect"
	stepTLS        step = "encrypt"
	stepHello      step = "greet"
	stepAuth       step = "log in"
	stepReset      step = "RSET"
	stepMail       step = "MAIL"
	stepRcpt       step = "RCPT"
	stepData       step = "DATA"
	stepAttachment step = "read an attachment"
	stepContent    step = "send the content"
	stepAnswer     step = "wait for the answer to the content"
)

// stepError is a step that failed. Its text never holds the server's, which
// may quote an address.
type stepError struct {
	step  step
	reply *textproto.Error // nil if the server did not answer
	err   error
}

func (e *stepError) Error() string {
	if e.reply != nil {
		return fmt.Sprintf("smtp: %s: the server refused", e.step)
	}
	if e.step == stepAuth && !errors.Is(e.err, errNoMechanism) {
		return "smtp: log in: failed" // a mechanism's error may quote what the server sent
	}
	return fmt.Sprintf("smtp: %s: %v", e.step, e.err)
}

func (e *stepError) Unwrap() error {
	if e.reply != nil {
		return nil
	}
	return e.err
}

// failed returns err as the failure of a step, and nil for nil.
func failed(at step, err error) error {
	if err == nil {
		return nil
	}
	e := &stepError{step: at, err: err}
	var malformed textproto.ProtocolError
	switch {
	case errors.As(err, &malformed):
		e.err = errNotSMTP
	case errors.As(err, &e.reply) && (e.reply.Code < 400 || e.reply.Code > 599):
		e.reply, e.err = nil, errNotSMTP
	}
	return e
}

// stale tells whether err is of a connection that had died before anything of
// the mail was sent.
func stale(err error) bool {
	var e *stepError
	if !errors.As(err, &e) {
		return false
	}
	return e.step == stepReset || e.step == stepMail && e.hangUp()
}

// broken tells whether the connection cannot be used after err.
func broken(err error) bool {
	var e *stepError
	return errors.As(err, &e) && e.hangUp()
}

// hangUp tells whether the connection is gone: nothing was answered, or 421,
// with which a server closes.
func (e *stepError) hangUp() bool { return e.reply == nil || e.reply.Code == 421 }

// classify says what a failure means.
func classify(ctx context.Context, err error) *notify.SendError {
	var known *notify.SendError
	var at *stepError
	switch {
	case errors.As(err, &known):
		return known
	case !errors.As(err, &at):
		return &notify.SendError{Verdict: notify.VerdictUncertain, Class: notify.ClassOther, Err: err}
	case at.reply != nil:
		verdict, class := judge(at.step, at.reply.Code, enhanced(at.reply), at.reply.Msg)
		return &notify.SendError{Verdict: verdict, Class: class, Code: joinCode(at.reply.Code, at.reply.Msg), Err: err}
	}
	verdict := notify.VerdictTemporary
	switch {
	case at.step == stepContent, at.step == stepAnswer:
		verdict = notify.VerdictUncertain
	case at.step == stepAuth && ctx.Err() == nil && !ofNetwork(at.err):
		verdict = notify.VerdictPermanent
	}
	return &notify.SendError{Verdict: verdict, Class: at.class(ctx), Err: err}
}

// class is why a step failed without the server's word.
func (e *stepError) class(ctx context.Context) notify.FailureClass {
	var unverified *tls.CertificateVerificationError
	var noTLS tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case ctx.Err() != nil, errors.Is(e.err, context.DeadlineExceeded):
		return notify.ClassTimeout
	case errors.Is(e.err, errNotSMTP):
		return notify.ClassService
	case e.step == stepAttachment,
		errors.Is(e.err, notify.ErrClosed), errors.Is(e.err, errNoStartTLS), errors.Is(e.err, errNoMechanism),
		errors.As(e.err, &unverified), errors.As(e.err, &noTLS), errors.As(e.err, &alert):
		return notify.ClassConfig
	case e.step == stepAuth && !ofNetwork(e.err):
		return notify.ClassAuth
	default:
		return notify.ClassNetwork
	}
}

// ofNetwork tells whether err says that the connection failed, or that what
// came over it made no sense.
func ofNetwork(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errNotSMTP)
}
