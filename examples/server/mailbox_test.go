package main

import (
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// mailbox is a real SMTP server that counts the mails to each recipient. It
// refuses those whose address begins with "refused".
type mailbox struct {
	addr string

	mu    sync.Mutex // guards the following
	mails map[string]int
	held  map[string]chan struct{} // mails to these wait for their channel
	began map[string]chan struct{} // closed when the mail that waits has come
}

func openMailbox(t *testing.T) *mailbox {
	t.Helper()
	box := &mailbox{mails: map[string]int{}, held: map[string]chan struct{}{}, began: map[string]chan struct{}{}}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{box: box}, nil }))
	server.Domain = "localhost"
	server.ErrorLog = log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	box.addr = listener.Addr().String()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		_ = server.Close()
		<-ended
	})
	return box
}

// hold has mails to the recipient wait until release is called; began is closed
// when one has come.
func (b *mailbox) hold(t *testing.T, to string) (began <-chan struct{}, release func()) {
	waiting, here := make(chan struct{}), make(chan struct{})
	b.mu.Lock()
	b.held[to], b.began[to] = waiting, here
	b.mu.Unlock()
	release = sync.OnceFunc(func() { close(waiting) })
	t.Cleanup(release)
	return here, release
}

func (b *mailbox) count(to string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mails[to]
}

type session struct {
	box *mailbox
	to  string
}

func (*session) Mail(string, *smtp.MailOptions) error { return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "refused") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: to + " is unknown"}
	}
	s.to = to
	return nil
}

func (s *session) Reset()      { s.to = "" }
func (*session) Logout() error { return nil }

func (s *session) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	s.box.mu.Lock()
	s.box.mails[s.to]++
	held, began := s.box.held[s.to], s.box.began[s.to]
	s.box.mu.Unlock()
	if held != nil {
		close(began) // a second mail would be a fault, and panics
		<-held
	}
	return nil
}
