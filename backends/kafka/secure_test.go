package kafka_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

const secret = "correct-horse-battery"

// roundTrip publishes and consumes with the backend.
func roundTrip(t *testing.T, b *kafka.Backend) {
	t.Helper()
	l := newLedger()
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: l.handle("m", nil)}, func(err error) { t.Error(err) })
	l.publish(t, b, "t", 2, keys(5)...)
	l.complete(t)
}

// complains requires the backend not to start and to say so: soon, as a broker may
// not have answered at all while the machine is busy.
func complains(t *testing.T, b *kafka.Backend, says string) {
	t.Helper()
	eventually(t, says, func() bool {
		_, err := b.Publisher()
		require.Error(t, err)
		return strings.Contains(err.Error(), says)
	})
}

// logBuffer may be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestSASL(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "notify", secret))
			as := func(user, password string, patience time.Duration) (*kafka.Backend, *logBuffer) {
				logged := new(logBuffer)
				return open(t, fake.ListenAddrs(), config(func(c *kafka.Config) {
					c.SASL = kafka.SASL{Mechanism: mechanism, User: user, Password: password}
					c.StartTimeout = patience
					c.Logger = slog.New(slog.NewTextHandler(logged, nil))
				})), logged
			}
			b, _ := as("notify", secret, time.Minute)
			roundTrip(t, b)

			for user, password := range map[string]string{"notify": secret + "-not", "nobody": secret} {
				b, logged := as(user, password, 500*time.Millisecond)
				_, err := b.Publisher()
				require.ErrorContains(t, err, "correct Config.SASL")
				require.NotContains(t, err.Error(), secret)
				require.NotContains(t, logged.String(), secret)
			}
			without := open(t, fake.ListenAddrs(), config(func(c *kafka.Config) { c.StartTimeout = 2 * time.Second }))
			complains(t, without, "Config.SASL")
			b = open(t, fake.ListenAddrs(), config(func(c *kafka.Config) {
				c.SASL = kafka.SASL{Mechanism: "OAUTHBEARER", Token: func(context.Context) (string, error) { return secret, nil }}
			}))
			_, err := b.Publisher()
			require.ErrorContains(t, err, "change Config.SASL.Mechanism")
			require.NotContains(t, err.Error(), secret)
		})
	}
}

// The cluster in this process has no OAUTHBEARER, so the broker's half is here.
func TestOAuthBearer(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	var mu sync.Mutex
	valid := true
	fake.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
		if r.(*kmsg.SASLHandshakeRequest).Mechanism != "OAUTHBEARER" {
			resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		}
		return resp, nil, true
	})
	fake.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		// RFC 7628, section 3.1.
		if string(r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes) != "n,,\x01auth=Bearer "+secret+"\x01\x01" || !valid {
			resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		}
		return resp, nil, true
	})
	with := func(token string, err error) *kafka.Backend {
		return open(t, fake.ListenAddrs(), config(func(c *kafka.Config) {
			c.SASL = kafka.SASL{Mechanism: "OAUTHBEARER", Token: func(context.Context) (string, error) { return token, err }}
			c.StartTimeout = 3 * time.Second
		}))
	}
	b := with(secret, nil)
	eventually(t, "it is let in", func() bool { _, err := b.Publisher(); return err == nil })
	roundTrip(t, b)
	_, err := with("stale-"+secret, nil).Publisher()
	require.ErrorContains(t, err, "correct Config.SASL")
	require.NotContains(t, err.Error(), secret)
	complains(t, with("", errors.New("the issuer is away")), "the issuer is away")
}

// authority makes a certificate for a broker of this machine, and the pool that
// trusts it.
func authority(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, pool := authority(t)
	fake := newFake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}))
	with := func(brokers []string, c *tls.Config) *kafka.Backend {
		return open(t, brokers, config(func(to *kafka.Config) { to.TLS, to.StartTimeout = c, 3*time.Second }))
	}
	roundTrip(t, open(t, fake.ListenAddrs(), config(func(c *kafka.Config) { c.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12} })))

	_, other := authority(t)
	complains(t, with(fake.ListenAddrs(), &tls.Config{RootCAs: other, MinVersion: tls.VersionTLS12}), "Config.TLS.RootCAs")
	complains(t, with(fake.ListenAddrs(), nil), "Config.TLS") // plain text where TLS is spoken
	// TLS where plain text is spoken.
	complains(t, with(newFake(t).ListenAddrs(), &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}), "Config.TLS")

	// A broker that asks for a certificate that we do not have says so at once.
	strict := newFake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		_, err := open(t, strict.ListenAddrs(), config(func(c *kafka.Config) {
			c.TLS = &tls.Config{RootCAs: pool, MinVersion: version, MaxVersion: version}
			c.StartTimeout = time.Hour
		})).Publisher()
		require.ErrorContains(t, err, "Config.TLS.Certificates")
	}
	roundTrip(t, open(t, strict.ListenAddrs(), config(func(c *kafka.Config) {
		c.TLS = &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	})))
}
