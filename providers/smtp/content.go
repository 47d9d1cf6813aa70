package smtp

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"

	"github.com/seed-6c01d079/notify"
)

// attachmentError is an attachment that cannot be opened or read. Its text
// leaves out the cause's, which may hold a signed address.
type attachmentError struct {
	index int
	verb  string
	err   error
}

func (e *attachmentError) Error() string {
	return fmt.Sprintf("smtp: Attachments[%d] cannot be %s", e.index, e.verb)
}

func (e *attachmentError) Unwrap() error { return e.err }

// openFiles opens every attachment, and returns those that it opened, in order,
// also with an error.
func (m *message) openFiles(ctx context.Context) ([]io.ReadCloser, error) {
	var opened []io.ReadCloser
	for i, f := range m.files {
		if f.ref == "" {
			opened = append(opened, io.NopCloser(bytes.NewReader(f.data)))
			continue
		}
		r, err := m.open(ctx, f.ref)
		if err == nil && r == nil {
			err = errNilReader
		}
		if err != nil {
			return opened, openFailure(ctx, &attachmentError{index: i, verb: "opened", err: err})
		}
		opened = append(opened, r)
	}
	return opened, nil
}

// openFailure says what an opener's error means. The host may say it itself.
func openFailure(ctx context.Context, err *attachmentError) *notify.SendError {
	var said *notify.SendError
	switch {
	case errors.As(err, &said):
		return &notify.SendError{
			Verdict: said.Verdict, Class: said.Class, Code: said.Code, RetryAfter: said.RetryAfter, Err: err,
		}
	case ctx.Err() != nil:
		return &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassTimeout, Err: err}
	default:
		return &notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassContent, Err: err}
	}
}

func closeAll(files []io.ReadCloser) {
	for _, f := range files {
		_ = f.Close() // it was only read
	}
}

// write writes the whole mail to w.
func (m *message) write(w io.Writer, files []io.ReadCloser) error {
	var b strings.Builder
	for _, f := range m.header {
		f.writeTo(&b)
	}
	if len(files) == 0 {
		return m.writeBody(func(h textproto.MIMEHeader) (io.Writer, error) { return topLevel(w, &b, h) })
	}

	mixed := multipart.NewWriter(w)
	h := textproto.MIMEHeader{"Content-Type": {"multipart/mixed; boundary=" + mixed.Boundary()}}
	if _, err := topLevel(w, &b, h); err != nil {
		return err
	}
	if err := m.writeBody(mixed.CreatePart); err != nil {
		return err
	}
	for i, f := range m.files {
		part, err := mixed.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {f.contentType},
			"Content-Disposition":       {f.disposition},
			"Content-Transfer-Encoding": {"base64"},
		})
		if err != nil {
			return err
		}
		if err := writeBase64(part, &tagged{files[i], i}); err != nil {
			return err
		}
	}
	return mixed.Close()
}

// topLevel ends the mail's own header with the fields of h.
func topLevel(w io.Writer, b *strings.Builder, h textproto.MIMEHeader) (io.Writer, error) {
	for _, name := range []string{"Content-Type", "Content-Transfer-Encoding"} {
		if v := h.Get(name); v != "" {
			field{name, v}.writeTo(b)
		}
	}
	b.WriteString("\r\n")
	_, err := io.WriteString(w, b.String())
	return w, err
}

type newPart func(textproto.MIMEHeader) (io.Writer, error)

// writeBody writes the text, the HTML, or both as alternatives, the better one
// last (RFC 2046, section 5.1.4).
func (m *message) writeBody(create newPart) error {
	switch {
	case m.html == "":
		return writeText(create, "plain", m.text)
	case m.text == "":
		return writeText(create, "html", m.html)
	}
	boundary := multipart.NewWriter(io.Discard).Boundary()
	w, err := create(textproto.MIMEHeader{"Content-Type": {"multipart/alternative; boundary=" + boundary}})
	if err != nil {
		return err
	}
	alternative := multipart.NewWriter(w)
	if err := alternative.SetBoundary(boundary); err != nil {
		return err
	}
	if err := writeText(alternative.CreatePart, "plain", m.text); err != nil {
		return err
	}
	if err := writeText(alternative.CreatePart, "html", m.html); err != nil {
		return err
	}
	return alternative.Close()
}

func writeText(create newPart, subtype, text string) error {
	w, err := create(textproto.MIMEHeader{
		"Content-Type":              {"text/" + subtype + "; charset=utf-8"},
		"Content-Transfer-Encoding": {"quoted-printable"},
	})
	if err != nil {
		return err
	}
	qp := quotedprintable.NewWriter(w)
	if _, err := io.WriteString(qp, text); err != nil {
		return err
	}
	return qp.Close()
}

// tagged marks a reader's errors as an attachment's.
type tagged struct {
	r     io.Reader
	index int
}

func (t *tagged) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err != nil && err != io.EOF {
		err = &attachmentError{index: t.index, verb: "read", err: err}
	}
	return n, err
}

// writeBase64 encodes r in lines of 76 characters (RFC 2045, section 6.8).
func writeBase64(w io.Writer, r io.Reader) error {
	const raw = 57 // bytes a line
	var chunk [raw * 64]byte
	for {
		n, err := io.ReadFull(r, chunk[:])
		var lines []byte
		for rest := chunk[:n]; len(rest) > 0; rest = rest[min(raw, len(rest)):] {
			lines = base64.StdEncoding.AppendEncode(lines, rest[:min(raw, len(rest))])
			lines = append(lines, "\r\n"...)
		}
		if _, err := w.Write(lines); err != nil {
			return err
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF: // ReadFull's own; the reader's is tagged
			return nil
		default:
			return err
		}
	}
}
