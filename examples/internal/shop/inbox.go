package shop

import (
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// inbox is an SMTP server on the loopback interface that prints the mail it
// receives.
type inbox struct {
	addr   string
	server *smtp.Server
	ended  chan struct{}
}

func startInbox(screen *screen) (*inbox, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the SMTP server: %w", err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{screen: screen}, nil
	}))
	server.Domain = "localhost"
	server.ReadTimeout, server.WriteTimeout = 10*time.Second, 10*time.Second
	server.MaxMessageBytes = 1 << 20
	server.ErrorLog = log.New(io.Discard, "", 0)
	box := &inbox{addr: listener.Addr().String(), server: server, ended: make(chan struct{})}
	go func() {
		defer close(box.ended)
		_ = server.Serve(listener)
	}()
	return box, nil
}

func (b *inbox) stop() {
	_ = b.server.Close()
	<-b.ended
}

// session is one connection.
type session struct{ screen *screen }

func (*session) Mail(string, *smtp.MailOptions) error { return nil }
func (*session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (*session) Reset()                               {}
func (*session) Logout() error                        { return nil }

func (s *session) Data(r io.Reader) error {
	mail, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	text := strings.TrimRight(strings.ReplaceAll(string(mail), "\r\n", "\n"), "\n")
	s.screen.printf("received   a mail:\n    | %s\n", strings.ReplaceAll(text, "\n", "\n    | "))
	return nil
}
