package smtp_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

const (
	user     = "shop"
	password = "pa55-canary"
)

// server is a real SMTP server that keeps what it is sent.
type server struct {
	addr  string
	roots *x509.CertPool

	mu       sync.Mutex
	sessions int
	mails    []mailed
}

// mailed is a mail as the server got it.
type mailed struct {
	from, to string
	user     string
	utf8     bool
	secure   bool
	raw      []byte
}

func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

func (s *server) received() []mailed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]mailed(nil), s.mails...)
}

// last returns the newest mail, and forgets all.
func (s *server) last() mailed {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mails[len(s.mails)-1]
	s.mails = nil
	return m
}

type serverOptions struct {
	tls      bool // offer STARTTLS
	implicit bool
	auth     bool // offer and require AUTH PLAIN
	utf8     bool
	maxBytes int64
}

// serve starts a server that stops with the test.
func serve(t testing.TB, o serverOptions) *server {
	t.Helper()
	s := &server{}
	backend := gosmtp.BackendFunc(func(c *gosmtp.Conn) (gosmtp.Session, error) {
		_, secure := c.TLSConnectionState()
		if !secure || !o.tls { // STARTTLS begins a second session on the same connection
			s.mu.Lock()
			s.sessions++
			s.mu.Unlock()
		}
		return &session{server: s, options: o, conn: c}, nil
	})
	smtpServer := gosmtp.NewServer(backend)
	smtpServer.Domain = "mx.example.com"
	smtpServer.AllowInsecureAuth = true
	smtpServer.EnableSMTPUTF8 = o.utf8
	smtpServer.MaxMessageBytes = o.maxBytes
	smtpServer.ErrorLog = quiet{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if o.tls || o.implicit {
		var config *tls.Config
		config, s.roots = certificate(t)
		if o.implicit {
			listener = tls.NewListener(listener, config)
		} else {
			smtpServer.TLSConfig = config
		}
	}
	s.addr = listener.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = smtpServer.Serve(listener) // ends with ErrServerClosed
	}()
	t.Cleanup(func() {
		_ = listener.Close() // Close does not know it before Serve has begun
		_ = smtpServer.Close()
		<-done
	})
	return s
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

type session struct {
	server  *server
	options serverOptions
	conn    *gosmtp.Conn
	user    string
	mail    mailed
}

func (s *session) AuthMechanisms() []string {
	if s.options.auth {
		return []string{sasl.Plain}
	}
	return nil
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, pass string) error {
		if username != user || pass != password {
			return gosmtp.ErrAuthFailed
		}
		s.user = username
		return nil
	}), nil
}

func (s *session) Mail(from string, o *gosmtp.MailOptions) error {
	if s.options.auth && s.user == "" {
		return &gosmtp.SMTPError{Code: 530, EnhancedCode: gosmtp.EnhancedCode{5, 7, 0}, Message: "authenticate first"}
	}
	_, secure := s.conn.TLSConnectionState()
	s.mail = mailed{from: from, utf8: o.UTF8, secure: secure, user: s.user}
	return nil
}

func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	if s.mail.to != "" {
		return errors.New("a second recipient")
	}
	s.mail.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.raw = bytes.Clone(raw)
	s.server.mu.Lock()
	s.server.mails = append(s.server.mails, s.mail)
	s.server.mu.Unlock()
	return nil
}

func (s *session) Reset()        { s.mail = mailed{} }
func (s *session) Logout() error { return nil }

// certificate makes a server's certificate for this machine, and the roots
// that trust it.
func certificate(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "mx.example.com"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}
