package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/mail"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify"
)

// TLSMode is how a connection is encrypted.
type TLSMode string

// The modes of encryption.
const (
	// TLSAuto is TLSStartTLS when Config.Username is set. Else it encrypts if
	// the server offers STARTTLS and sends in the clear if not; because a
	// connection in the clear would do, the server's certificate is then
	// verified only if Config.TLSConfig is set (RFC 7435).
	TLSAuto TLSMode = ""
	// TLSStartTLS asks for encryption by STARTTLS (RFC 3207), and sends nothing
	// without it: usually port 587.
	TLSStartTLS TLSMode = "starttls"
	// TLSImplicit encrypts from the first byte (RFC 8314): usually port 465.
	TLSImplicit TLSMode = "implicit"
	// TLSNone never encrypts. With a Username it is for a server on this
	// machine only.
	TLSNone TLSMode = "none"
)

// Config says which server to use, and as whom. Addr and From are required.
type Config struct {
	// Name is the provider's name; default "smtp".
	Name string
	// Addr is the server, as host:port.
	Addr string
	// From is the sender's address, which may have a name: "Shop
	// <shop@example.com>". It is the envelope's sender too.
	From string
	// ReplyTo is where answers go, if the message names no other address;
	// default none.
	ReplyTo string
	// Username and Password log in, by the strongest mechanism that the server
	// offers of SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, LOGIN and CRAM-MD5; default
	// no login.
	Username string
	Password string
	// TLS is how the connection is encrypted; default TLSAuto. TLSConfig is
	// cloned; default the system's roots, and Addr's host as the ServerName.
	TLS       TLSMode
	TLSConfig *tls.Config
	// Hello is this machine's name for EHLO; default the host's name.
	Hello string
	// Timeout bounds connecting, encryption and login together; default 10 s.
	// The rest of a call is bounded by its context alone.
	Timeout time.Duration
	// MaxConns is how many connections are open at once; default 4. Further
	// messages wait for one, before their attempt begins. An idle one is closed after IdleTimeout, default 30 s.
	MaxConns    int
	IdleTimeout time.Duration
	// OpenAttachment opens the content that an Attachment.Ref names, once the
	// server has taken the recipient; it is read while it is sent, then
	// closed. Its reads must end when ctx does. Its error is permanent, unless
	// it is a [notify.SendError], whose verdict then counts. Default: a message
	// with a Ref is refused.
	OpenAttachment func(ctx context.Context, ref string) (io.ReadCloser, error)
}

var (
	legalName  = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)
	legalHello = regexp.MustCompile(`^[!-~]{1,255}$`)
)

// settings is a Config that has been checked and completed.
type settings struct {
	Config
	host     string
	from     *mail.Address
	replyTo  *mail.Address
	startTLS bool // try it
	required bool // and send nothing without it
}

// complete fills the defaults in and reports every problem, joined.
func (c Config) complete() (settings, error) {
	s := settings{Config: c}
	var problems []error
	add := func(field, problem string) {
		problems = append(problems, &notify.FieldError{Field: field, Problem: problem})
	}
	if s.Name == "" {
		s.Name = "smtp"
	}
	if !legalName.MatchString(s.Name) {
		add("Name", "must be 1 to 64 characters of a-z, 0-9, '-', '_' and '.'")
	}

	var port string
	var err error
	s.host, port, err = net.SplitHostPort(c.Addr)
	if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || s.host == "" || n < 1 || n > 65535 {
		add("Addr", "must be host:port, such as localhost:25")
	}
	if s.from, err = parseNamed(c.From); err != nil {
		add("From", "must be an address, such as shop@example.com or Shop <shop@example.com>")
	}
	if c.ReplyTo != "" {
		if s.replyTo, err = parseNamed(c.ReplyTo); err != nil {
			add("ReplyTo", "must be an address")
		}
	}

	switch c.TLS {
	case TLSAuto:
		s.startTLS, s.required = true, c.Username != ""
	case TLSStartTLS:
		s.startTLS, s.required = true, true
	case TLSImplicit:
	case TLSNone:
		if c.Username != "" && !loopback(s.host) {
			add("TLS", "must not be TLSNone with a Username, unless the server is on this machine")
		}
	default:
		add("TLS", "must be one of the TLS constants")
	}
	s.TLSConfig = c.tls(s.host, s.startTLS && !s.required)
	if c.Password != "" && c.Username == "" {
		add("Username", "must be set when Password is")
	}

	if s.Hello == "" {
		if s.Hello, err = os.Hostname(); err != nil || !legalHello.MatchString(s.Hello) {
			s.Hello = "localhost"
		}
	}
	if !legalHello.MatchString(s.Hello) {
		add("Hello", "must be a host name")
	}
	s.Timeout = orDefault(s.Timeout, 10*time.Second, add, "Timeout")
	s.MaxConns = orDefault(s.MaxConns, 4, add, "MaxConns")
	s.IdleTimeout = orDefault(s.IdleTimeout, 30*time.Second, add, "IdleTimeout")
	return s, errors.Join(problems...)
}

// tls returns the configuration for TLS with the host. Without one of the
// caller's, opportunistic encryption does not verify: the alternative that it
// would fall back to is no encryption at all.
func (c Config) tls(host string, opportunistic bool) *tls.Config {
	conf := &tls.Config{InsecureSkipVerify: opportunistic}
	if c.TLSConfig != nil {
		conf = c.TLSConfig.Clone()
	}
	if conf.ServerName == "" {
		conf.ServerName = host
	}
	return conf
}

func orDefault[T ~int | ~int64](v, def T, add func(field, problem string), field string) T {
	if v < 0 {
		add(field, "must not be negative")
	}
	if v == 0 {
		return def
	}
	return v
}

// loopback tells whether host is this machine by the three names for which the
// mechanisms that show the password accept a connection in the clear.
func loopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}
