package smtp_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/providers/smtp"
)

// endless is an attachment that never ends, so that a mail is still being
// written whatever the buffers on its way hold.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
func (endless) Close() error               { return nil }

func openEndless(context.Context, string) (io.ReadCloser, error) { return endless{}, nil }

// at makes a mail and a provider for a failure at the point.
func at(t *testing.T, point string, s *scripted) (*smtp.Provider, notify.Delivery[notify.Email]) {
	d := delivery("k")
	if point == "content" {
		d.Message.Attachments = []notify.Attachment{{Name: "endless", Ref: "r"}}
	}
	return open(t, smtp.Config{Addr: s.addr, OpenAttachment: openEndless}), d
}

var points = map[string]notify.Verdict{
	"connect": notify.VerdictTemporary,
	"EHLO":    notify.VerdictTemporary,
	"MAIL":    notify.VerdictTemporary,
	"RCPT":    notify.VerdictTemporary,
	"DATA":    notify.VerdictTemporary,
	"content": notify.VerdictUncertain,
	"answer":  notify.VerdictUncertain,
}

func TestCut(t *testing.T) {
	t.Parallel()
	for point, verdict := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s := follow(t, script{cut: point})
			p, d := at(t, point, s)
			err := failure(t, p, d)
			require.Equal(t, verdict, err.Verdict, err)
			require.Equal(t, notify.ClassNetwork, err.Class, err)
			require.Equal(t, 1, s.count(), "a call is one call")
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for point, verdict := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s := follow(t, script{hang: point})
			p, d := at(t, point, s)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error)
			go func() {
				_, err := p.Send(ctx, d)
				ended <- err
			}()
			<-s.reached
			cancel()
			err := <-ended
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, verdict, notify.AsSendError(err).Verdict, err)
			require.Equal(t, notify.ClassTimeout, notify.AsSendError(err).Class)
		})
	}
}

// TestTimeout has a server that never greets: Config.Timeout bounds it.
func TestTimeout(t *testing.T) {
	t.Parallel()
	s := follow(t, script{hang: "connect"})
	p := open(t, smtp.Config{Addr: s.addr, Timeout: 20 * time.Millisecond})
	err := failure(t, p, delivery("k"))
	require.Equal(t, notify.VerdictTemporary, err.Verdict)
	require.Equal(t, notify.ClassTimeout, err.Class)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestReplies(t *testing.T) {
	t.Parallel()
	const (
		temporary, permanent = notify.VerdictTemporary, notify.VerdictPermanent
		throttled, uncertain = notify.VerdictThrottled, notify.VerdictUncertain
	)
	for _, test := range []struct {
		point, reply string
		verdict      notify.Verdict
		class        notify.FailureClass
		code         string
	}{
		{"connect", "554 no service for you", permanent, notify.ClassConfig, "554"},
		{"connect", "421 4.3.2 shutting down", temporary, notify.ClassService, "421 4.3.2"},
		{"connect", "421 too many connections", throttled, notify.ClassThrottle, "421"},
		{"connect", "HTTP/1.1 400 ada@example.com", temporary, notify.ClassService, ""},
		{"MAIL", "530 5.7.0 authenticate", permanent, notify.ClassAuth, "530 5.7.0"},
		{"MAIL", "550 5.7.1 sender not yours", permanent, notify.ClassConfig, "550 5.7.1"},
		{"MAIL", "553 5.1.8 sender's domain unknown", permanent, notify.ClassConfig, "553 5.1.8"},
		{"MAIL", "552 5.3.4 too large", permanent, notify.ClassContent, "552 5.3.4"},
		{"MAIL", "451 4.3.0 later", temporary, notify.ClassService, "451 4.3.0"},
		{"MAIL", "452 4.3.1 disk full", temporary, notify.ClassService, "452 4.3.1"},
		{"RCPT", "550 5.1.1 <ada@example.com> unknown", permanent, notify.ClassAddress, "550 5.1.1"},
		{"RCPT", "550-5.1.1 <ada@example.com>\r\n550 5.1.1 unknown", permanent, notify.ClassAddress, "550 5.1.1"},
		{"RCPT", "550 no such user", permanent, notify.ClassAddress, "550"},
		{"RCPT", "551 moved", permanent, notify.ClassAddress, "551"},
		{"RCPT", "552 5.2.2 full", permanent, notify.ClassAddress, "552 5.2.2"},
		{"RCPT", "553 odd address", permanent, notify.ClassAddress, "553"},
		{"RCPT", "556 5.1.10 null MX", permanent, notify.ClassAddress, "556 5.1.10"},
		{"RCPT", "550 5.4.4 no route", permanent, notify.ClassAddress, "550 5.4.4"},
		{"RCPT", "554 5.7.1 listed", permanent, notify.ClassPolicy, "554 5.7.1"},
		{"RCPT", "550 5.7.1 blocked", permanent, notify.ClassPolicy, "550 5.7.1"},
		{"RCPT", "554 no", permanent, notify.ClassOther, "554"},
		{"RCPT", "503 5.5.1 bad sequence", permanent, notify.ClassConfig, "503 5.5.1"},
		{"RCPT", "450 4.2.1 busy", temporary, notify.ClassAddress, "450 4.2.1"},
		{"RCPT", "450 busy", temporary, notify.ClassAddress, "450"},
		{"RCPT", "452 4.2.2 full", temporary, notify.ClassAddress, "452 4.2.2"},
		{"RCPT", "451 4.3.0 local error", temporary, notify.ClassService, "451 4.3.0"},
		{"RCPT", "451 4.7.1 greylisted", throttled, notify.ClassThrottle, "451 4.7.1"},
		{"RCPT", "450 rate limit exceeded", throttled, notify.ClassThrottle, "450"},
		{"RCPT", "450 5.1.1 codes that disagree", temporary, notify.ClassAddress, "450"},
		{"RCPT", "550 5.1.8 sender's domain unknown", permanent, notify.ClassConfig, "550 5.1.8"},
		{"RCPT", "450 4.1.8 sender's domain unknown", temporary, notify.ClassConfig, "450 4.1.8"},
		{"answer", "552 5.2.2 full", permanent, notify.ClassAddress, "552 5.2.2"},
		{"answer", "452 4.2.2 full", temporary, notify.ClassAddress, "452 4.2.2"},
		{"RCPT", "299 odd", temporary, notify.ClassService, ""},
		{"DATA", "554 5.5.1 no valid recipients", permanent, notify.ClassConfig, "554 5.5.1"},
		{"DATA", "451 4.3.0 later", temporary, notify.ClassService, "451 4.3.0"},
		{"DATA", "250 not 354", temporary, notify.ClassService, ""},
		{"answer", "552 5.3.4 too large", permanent, notify.ClassContent, "552 5.3.4"},
		{"answer", "554 5.6.0 not liked", permanent, notify.ClassContent, "554 5.6.0"},
		{"answer", "554 no", permanent, notify.ClassContent, "554"},
		{"answer", "550 5.7.1 spam", permanent, notify.ClassPolicy, "550 5.7.1"},
		{"answer", "550 5.1.1 unknown after all", permanent, notify.ClassAddress, "550 5.1.1"},
		{"answer", "451 4.3.0 later", temporary, notify.ClassService, "451 4.3.0"},
		{"answer", "421 4.3.2 shutting down", temporary, notify.ClassService, "421 4.3.2"},
		{"answer", "354 what", uncertain, notify.ClassService, ""},
		{"answer", "ok ada@example.com", uncertain, notify.ClassService, ""},
	} {
		s := follow(t, script{replies: map[string]string{test.point: test.reply}})
		p := open(t, smtp.Config{Addr: s.addr})
		err := failure(t, p, delivery("k"))
		require.Equal(t, test.verdict, err.Verdict, "%s: %s", test.point, test.reply)
		require.Equal(t, test.class, err.Class, "%s: %s", test.point, test.reply)
		require.Equal(t, test.code, err.Code, "%s: %s", test.point, test.reply)
		require.NotContains(t, err.Error(), "ada")
	}
}

// TestLoginMakesNoSense has a server whose challenge is not base64.
func TestLoginMakesNoSense(t *testing.T) {
	t.Parallel()
	s := follow(t, script{replies: map[string]string{"EHLO": "250-mx.example.com\r\n250 AUTH PLAIN", "AUTH": "334 canary!"}})
	p := open(t, smtp.Config{Addr: s.addr, TLS: smtp.TLSNone, Username: user, Password: password})
	err := failure(t, p, delivery("k"))
	require.Equal(t, notify.VerdictPermanent, err.Verdict)
	require.Equal(t, notify.ClassAuth, err.Class)
	require.EqualError(t, err, "permanent failure (auth): smtp: log in: failed")
}

// TestOpenerGivesUp has an opener that gives up when ctx ends.
func TestOpenerGivesUp(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	p := open(t, smtp.Config{Addr: s.addr, OpenAttachment: func(ctx context.Context, _ string) (io.ReadCloser, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	d := delivery("k")
	d.Message.Attachments = []notify.Attachment{{Name: "a", Ref: "r"}}
	_, err := p.Send(ctx, d)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, notify.VerdictTemporary, notify.AsSendError(err).Verdict)
	require.Equal(t, notify.ClassTimeout, notify.AsSendError(err).Class)
	require.Empty(t, s.received())
}

func TestMailTooLargeForARealServer(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{maxBytes: 2000})
	p := open(t, smtp.Config{Addr: s.addr})
	d := delivery("k")
	d.Message.Attachments = []notify.Attachment{{Name: "a", Data: make([]byte, 1<<20)}}
	err := failure(t, p, d)
	require.Equal(t, notify.VerdictPermanent, err.Verdict, err)
	require.Equal(t, notify.ClassContent, err.Class)
	require.Equal(t, "552 5.3.4", err.Code)
}

func TestOpenerPanics(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{})
	p := open(t, smtp.Config{Addr: s.addr, MaxConns: 1, OpenAttachment: func(context.Context, string) (io.ReadCloser, error) {
		panic("oh")
	}})
	d := delivery("k")
	d.Message.Attachments = []notify.Attachment{{Name: "a", Ref: "r"}}
	require.Panics(t, func() { _, _ = p.Send(t.Context(), d) })
	_, err := p.Send(t.Context(), delivery("k2"))
	require.NoError(t, err)
	require.Equal(t, 2, s.connections())
}

func TestUnknownHost(t *testing.T) {
	t.Parallel()
	p := open(t, smtp.Config{Addr: "mx.invalid:25"})
	err := failure(t, p, delivery("k"))
	require.Equal(t, notify.VerdictTemporary, err.Verdict)
	require.Equal(t, notify.ClassNetwork, err.Class)
}

func TestAttachmentFailures(t *testing.T) {
	t.Parallel()
	secret := errors.New("GET https://store.example.com/a?signature=canary: 404")
	for name, test := range map[string]struct {
		open    func(context.Context, string) (io.ReadCloser, error)
		verdict notify.Verdict
		class   notify.FailureClass
		is      error
		reusing bool // the connection is still good
	}{
		"none": {nil, notify.VerdictPermanent, notify.ClassConfig, nil, true},
		"cannot be opened": {
			func(context.Context, string) (io.ReadCloser, error) { return nil, secret },
			notify.VerdictPermanent, notify.ClassContent, secret, true,
		},
		"not now": {
			func(context.Context, string) (io.ReadCloser, error) {
				return nil, &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassService, Err: secret}
			},
			notify.VerdictTemporary, notify.ClassService, secret, true,
		},
		"no reader": {
			func(context.Context, string) (io.ReadCloser, error) { return nil, nil },
			notify.VerdictPermanent, notify.ClassContent, nil, true,
		},
		"cannot be read": {
			func(context.Context, string) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), failingReader{secret})), nil
			},
			notify.VerdictTemporary, notify.ClassConfig, secret, false,
		},
		"ends too early": {
			func(context.Context, string) (io.ReadCloser, error) {
				return io.NopCloser(failingReader{io.ErrUnexpectedEOF}), nil
			},
			notify.VerdictTemporary, notify.ClassConfig, io.ErrUnexpectedEOF, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, serverOptions{})
			p := open(t, smtp.Config{Addr: s.addr, OpenAttachment: test.open})
			d := delivery("k")
			d.Message.Attachments = []notify.Attachment{{Name: "a.pdf", Ref: "r"}}
			err := failure(t, p, d)
			require.Equal(t, test.verdict, err.Verdict, err)
			require.Equal(t, test.class, err.Class, err)
			require.NotContains(t, err.Error(), "canary")
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
			require.Empty(t, s.received(), "a mail that is cut off is no mail")

			_, sendErr := p.Send(t.Context(), delivery("k2"))
			require.NoError(t, sendErr)
			want := 2
			if test.reusing {
				want = 1
			}
			require.Equal(t, want, s.connections())
		})
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
