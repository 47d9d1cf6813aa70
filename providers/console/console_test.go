package console_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
	"github.com/seed-6c01d079/notify/providers/console"
)

type number int

func (number) Channel() notify.Channel { return "number" }

type unencodable struct{ F func() }

func (unencodable) Channel() notify.Channel { return "unencodable" }

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func send[M notify.Message](t *testing.T, message M) string {
	t.Helper()
	var b bytes.Buffer
	receipt, err := console.New[M]("c", &b).Send(t.Context(), notify.Delivery[M]{Key: "k", NotificationID: "n", Message: message})
	require.NoError(t, err)
	require.Equal(t, notify.Receipt{MessageID: "k"}, receipt)
	return b.String()
}

func TestSend(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ got, want string }{
		"sms": {
			send(t, notify.SMS{To: "+491", Text: "<b>Hi & bye</b>"}),
			"--- sms n (c)\nto: +491\ntext: <b>Hi & bye</b>\n\n",
		},
		"push": {
			send(t, notify.Push{Token: "tok", Body: "one\r\ntwo\n", Data: map[string]string{"a": "1"}}),
			"--- push n (c)\ntoken: tok\nbody:\n  one\n  two\ndata: {\"a\":\"1\"}\n\n",
		},
		"attachments": {
			send(t, notify.Email{To: "a@b.c", Attachments: []notify.Attachment{{Name: "x", Ref: "r"}, {Name: "y", Data: bytes.Repeat([]byte("z"), 1000)}}}),
			"--- email n (c)\nto: a@b.c\nsubject: \nattachments:\n  {\"name\":\"x\",\"ref\":\"r\"}\n  {\"name\":\"y\",\"data\":\"" +
				strings.Repeat("enp6", 100)[:200-len(`{"name":"y","data":"`)] + "...\n\n",
		},
		"no escape sequences": {
			send(t, notify.SMS{Text: "\x1b[2Jgone\a"}),
			"--- sms n (c)\nto: \ntext: \ufffd[2Jgone\ufffd\n\n",
		},
		"not an object": {send(t, number(7)), "--- number n (c)\n7\n\n"},
	} {
		require.Equal(t, test.want, test.got, name)
	}
}

func TestSendFails(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := console.New[notify.SMS]("c", brokenWriter{}).Send(canceled, notify.Delivery[notify.SMS]{})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, notify.VerdictTemporary, notify.AsSendError(err).Verdict)

	_, err = console.New[notify.SMS]("c", brokenWriter{}).Send(t.Context(), notify.Delivery[notify.SMS]{})
	require.EqualError(t, err, "uncertain failure (service): console: write: disk full")

	_, err = console.New[unencodable]("c", brokenWriter{}).Send(t.Context(), notify.Delivery[unencodable]{})
	require.Equal(t, notify.VerdictPermanent, notify.AsSendError(err).Verdict)
}

// TestConformance is not parallel, because the suite counts goroutines.
func TestConformance(t *testing.T) {
	notifytest.TestProvider(t, notifytest.ProviderHarness[notify.Push]{
		New: func(testing.TB) notify.Provider[notify.Push] {
			return console.New[notify.Push]("console", io.Discard)
		},
		Message: func() notify.Push {
			return notify.Push{Token: "tok", Body: "x", Data: map[string]string{"a": "1"}}
		},
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, console.New[notify.SMS]("console-1", io.Discard).Check())
	require.Equal(t, "w", notify.FieldErrors(console.New[notify.SMS]("console", nil).Check())[0].Field)
	for _, name := range []string{"", "Console", "a b", strings.Repeat("x", 65)} {
		require.Len(t, notify.FieldErrors(console.New[notify.SMS](name, io.Discard).Check()), 1, name)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := console.New[notify.SMS]("c", &b)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			_, err := p.Send(t.Context(), notify.Delivery[notify.SMS]{NotificationID: fmt.Sprint(i), Message: notify.SMS{To: "1", Text: "x\ny"}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	blocks := strings.Split(strings.TrimSuffix(b.String(), "\n\n"), "\n\n")
	require.Len(t, blocks, 64)
	for _, block := range blocks {
		require.Regexp(t, `^--- sms \d+ \(c\)\nto: 1\ntext:\n  x\n  y$`, block)
	}
}
