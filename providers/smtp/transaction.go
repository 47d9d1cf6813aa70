package smtp

import (
	"context"
	"errors"
	"io"

	"github.com/wneessen/go-mail/smtp"

	"github.com/seed-6c01d079/notify"
)

// send sends one mail, and returns the code of the server's answer. Its error
// is a stepError, or a SendError if the mail itself cannot be sent.
func (s *session) send(ctx context.Context, m *message) (code string, err error) {
	if s.reused {
		if err := s.client.Reset(); err != nil {
			return "", failed(stepReset, err)
		}
	}
	// A mail that asks for SMTPUTF8 is returned by every server on its way
	// that does not know it, so only a mail that needs it asks (RFC 6531).
	if offered, _ := s.client.Extension("SMTPUTF8"); m.utf8 && !offered {
		return "", &notify.SendError{
			Verdict: notify.VerdictPermanent, Class: notify.ClassConfig, Err: errNoUTF8,
		}
	}
	s.client.SkipSMTPUTF8(!m.utf8)
	if err := s.client.Mail(m.from); err != nil {
		return "", failed(stepMail, err)
	}
	if err := s.client.Rcpt(m.to); err != nil {
		return "", failed(stepRcpt, err)
	}

	files, err := m.openFiles(ctx)
	defer closeAll(files)
	if err != nil {
		return "", err
	}
	w, err := s.client.Data()
	if err != nil {
		return "", failed(stepData, err)
	}
	if err := m.write(w, files); err != nil {
		// w stays open: closing it would end the mail as if it were whole.
		var unread *attachmentError
		if errors.As(err, &unread) && ctx.Err() == nil {
			return "", failed(stepAttachment, err)
		}
		return "", failed(stepContent, err)
	}
	if err := w.Close(); err != nil {
		return "", failed(stepAnswer, err)
	}
	return answerCode(w), nil
}

// answerCode is the code of the answer to the content, which is always a 250.
func answerCode(w io.WriteCloser) string {
	var text string
	if data, ok := w.(*smtp.DataCloser); ok {
		text = data.ServerResponse()
	}
	return joinCode(250, text)
}
