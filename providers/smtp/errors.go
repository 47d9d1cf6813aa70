package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

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

var (
	// RFC 3463, section 2: class.subject.detail at the start of the text.
	enhancedCode = regexp.MustCompile(`^([245])\.\d{1,3}\.\d{1,3}\b`)
	// There is no code for too many mails alone; servers say it in words.
	tooMany = regexp.MustCompile(`(?i)\b(rate|too (many|much|fast)|throttl\w*)\b`)
)

// enhanced returns the enhanced status code of a reply, if it has one that
// agrees with the reply's own.
func enhanced(reply *textproto.Error) string {
	code := enhancedCode.FindString(reply.Msg)
	if code == "" || code[0] != strconv.Itoa(reply.Code)[0] {
		return ""
	}
	return code
}

// joinCode returns a reply's numbers, such as "550 5.1.1".
func joinCode(code int, text string) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, enhanced(&textproto.Error{Code: code, Msg: text})))
}

// judge says what a refusal means: code is RFC 5321's (section 4.2.3), status
// RFC 3463's.
func judge(at step, code int, status, text string) (notify.Verdict, notify.FailureClass) {
	if code >= 400 && code < 500 {
		return judgeTemporary(at, code, status, text)
	}
	return notify.VerdictPermanent, judgePermanent(at, code, status)
}

func judgeTemporary(at step, code int, status, text string) (notify.Verdict, notify.FailureClass) {
	switch {
	case at == stepAuth, at == stepTLS:
		return notify.VerdictTemporary, notify.ClassService
	case strings.HasPrefix(status, "4.7."), tooMany.MatchString(text):
		return notify.VerdictThrottled, notify.ClassThrottle
	case aboutSender(status):
		return notify.VerdictTemporary, notify.ClassConfig
	// A mailbox that is full or busy is no trouble of the service: others are
	// served.
	case at == stepRcpt && code == 450 && status == "", at.afterRcpt() && subject(status, "1", "2"):
		return notify.VerdictTemporary, notify.ClassAddress
	default:
		return notify.VerdictTemporary, notify.ClassService
	}
}

func judgePermanent(at step, code int, status string) notify.FailureClass {
	switch {
	case at == stepAuth, code == 530, code == 534, code == 535, code == 538, status == "5.7.8":
		return notify.ClassAuth
	case code == 552 && at != stepRcpt && !subject(status, "2", "7"), status == "5.3.4", status == "5.2.3":
		return notify.ClassContent
	// Before RCPT the server has seen only who is asking.
	case !at.afterRcpt(), aboutSender(status):
		return notify.ClassConfig
	case subject(status, "7"):
		return notify.ClassPolicy
	case subject(status, "1", "2", "4"):
		return notify.ClassAddress
	case subject(status, "6"):
		return notify.ClassContent
	case subject(status, "5"), code >= 500 && code <= 504, code == 555:
		return notify.ClassConfig
	case at == stepRcpt && (code >= 550 && code <= 553 || code == 521 || code == 556):
		return notify.ClassAddress
	case at == stepRcpt:
		return notify.ClassOther
	default:
		return notify.ClassContent
	}
}

// afterRcpt tells whether the server has seen the recipient.
func (s step) afterRcpt() bool {
	return s == stepRcpt || s == stepData || s == stepAnswer
}

// aboutSender tells whether the status is about the sender's address: many
// servers check that only at RCPT.
func aboutSender(status string) bool {
	return strings.HasSuffix(status, ".1.7") || strings.HasSuffix(status, ".1.8")
}

// subject tells whether the status is about one of the subjects, its second
// number.
func subject(status string, subjects ...string) bool {
	parts := strings.Split(status, ".")
	for _, s := range subjects {
		if len(parts) == 3 && parts[1] == s {
			return true
		}
	}
	return false
}
