package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/logs"
)

// mail sends mails by a func.
type mail func(d notify.Delivery[notify.Email]) (notify.Receipt, error)

func (mail) Name() string { return "smtp" }

func (m mail) Send(_ context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	return m(d)
}

func start(t *testing.T, c notify.Config, provider mail, attach ...notify.Attacher) (n *notify.Notifier, stop func()) {
	t.Helper()
	c.Logger = slog.New(slog.DiscardHandler)
	n, err := notify.New(c)
	require.NoError(t, err)
	notify.Use(n, provider)
	n.Attach(attach...)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(t.Context()) }()
	require.NoError(t, n.Ready(t.Context()))
	return n, func() {
		t.Helper()
		require.NoError(t, n.Close(t.Context()))
		require.NoError(t, <-ended)
	}
}

func lines(t *testing.T, w *bytes.Buffer) []map[string]any {
	t.Helper()
	var list []map[string]any
	for decoder := json.NewDecoder(w); decoder.More(); {
		var line map[string]any
		require.NoError(t, decoder.Decode(&line))
		list = append(list, line)
	}
	return list
}

func TestOneRecordForEveryEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w bytes.Buffer
		n, stop := start(t, notify.Config{}, func(notify.Delivery[notify.Email]) (notify.Receipt, error) {
			return notify.Receipt{MessageID: "m_1"}, nil
		}, logs.New(plain(&w)))
		id, err := n.Send(t.Context(), notify.Notification{
			To:      notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{notify.EmailChannel: "ada@example.com"}},
			Content: notify.Content{Title: "Shipped", Body: "On its way."},
			Route:   notify.First(notify.EmailChannel),
		})
		require.NoError(t, err)
		_, err = n.Wait(t.Context(), id)
		require.NoError(t, err)
		var want []string
		for e, err := range n.Watch(t.Context(), id) {
			require.NoError(t, err)
			want = append(want, e.ID)
		}
		stop()
		var got []string
		for _, line := range lines(t, &w) {
			require.Equal(t, id, line["notification_id"])
			require.Equal(t, "u_42", line["recipient_id"])
			got = append(got, line["event_id"].(string))
		}
		require.Equal(t, want, got)
	})
}

// Whatever a notification goes through, neither its addresses nor its content
// are written, though providers put them into their errors.
func TestNoRecordHoldsAddressOrContent(t *testing.T) {
	t.Parallel()
	const canary = "CANARY"
	synctest.Test(t, func(t *testing.T) {
		var w bytes.Buffer
		templates := fstest.MapFS{
			"hello/email.subject.tmpl": {Data: []byte("CANARY {{.Data.name}}")},
			"hello/email.text.tmpl":    {Data: []byte("CANARY {{.Data.name}}")},
		}
		var calls atomic.Int64
		n, stop := start(t, notify.Config{Templates: templates}, func(d notify.Delivery[notify.Email]) (notify.Receipt, error) {
			cause := fmt.Errorf("%s does not take %q", d.Message.To, d.Message.Text)
			switch call := calls.Add(1); call % 5 {
			case 0:
				return notify.Receipt{}, cause
			case 1:
				return notify.Receipt{}, &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassService, Err: cause}
			case 2:
				return notify.Receipt{}, &notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassAddress, Err: cause}
			case 3:
				panic(cause)
			default:
				return notify.Receipt{MessageID: fmt.Sprint("m_", call)}, nil
			}
		}, logs.New(plain(&w)))
		notify.On(n, "sloppy", func(_ context.Context, e notify.Event[notify.Settled]) error {
			return notify.Permanent(errors.New(canary))
		})
		for i := range 10 {
			one := notify.Notification{
				To: notify.Recipient{ID: fmt.Sprint("u_", i), Name: canary, Addresses: map[notify.Channel]string{
					notify.EmailChannel: "canary.CANARY@example.com", notify.SMSChannel: "+4366012345678",
				}},
				Content: notify.Content{Title: canary, Body: canary, URL: "https://example.com/CANARY"},
				Route:   notify.First(notify.EmailChannel),
				Key:     fmt.Sprint(canary, i),
				Labels:  map[string]string{"note": canary},
			}
			if i%2 == 0 {
				one.Template, one.Data = "hello", map[string]any{"name": canary}
			}
			_, err := n.Send(t.Context(), one)
			require.NoError(t, err)
		}
		require.NoError(t, n.Report(t.Context(), notify.Report{Provider: "smtp", MessageID: "m_4", Event: notify.Bounced{Class: notify.ClassAddress}}))
		time.Sleep(7 * 24 * time.Hour)
		stop()
		require.NotContains(t, w.String(), canary)
		require.NotContains(t, w.String(), "example.com")
		require.NotContains(t, w.String(), "4366012345678")
		names := map[any]int{}
		for _, line := range lines(t, &w) {
			names[line["msg"]]++
		}
		for _, name := range []string{"accepted", "routed", "rendered", "sending", "retrying", "failed", "unknown", "sent", "settled", "dead_lettered", "bounced"} {
			require.NotZero(t, names[name], "%s in %v", name, names)
		}
	})
}

// unsteady is a slog.Handler that fails at first.
type unsteady struct {
	slog.Handler
	mu       sync.Mutex
	failures int
}

func (u *unsteady) Handle(ctx context.Context, r slog.Record) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.failures--; u.failures >= 0 {
		return errors.New("the disk is full")
	}
	return u.Handler.Handle(ctx, r)
}

func TestALogThatFailsIsWrittenLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w bytes.Buffer
		log := slog.New(&unsteady{Handler: plain(&w).Handler(), failures: 3})
		n, stop := start(t, notify.Config{}, func(notify.Delivery[notify.Email]) (notify.Receipt, error) {
			return notify.Receipt{}, nil
		}, logs.New(log, func(c *logs.Config) { c.Name = "audit" }))
		id, err := n.Send(t.Context(), notify.Notification{
			To:      notify.Recipient{Addresses: map[notify.Channel]string{notify.EmailChannel: "ada@example.com"}},
			Content: notify.Content{Title: "Shipped"},
			Route:   notify.First(notify.EmailChannel),
		})
		require.NoError(t, err)
		_, err = n.Wait(t.Context(), id)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		stop()
		var got []any
		for _, line := range lines(t, &w) {
			if line["notification_id"] == id {
				got = append(got, line["msg"])
			} else {
				require.Equal(t, "audit", line["observer"])
			}
		}
		require.Equal(t, []any{"accepted", "routed", "rendered", "sending", "sent", "settled"}, got)
	})
}

func TestWhatCannotBeUsedIsReported(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	n.Attach(logs.New(nil, func(c *logs.Config) { c.Level = nil }))
	found := notify.FieldErrors(n.Run(t.Context()))
	require.Len(t, found, 1)
	require.Equal(t, "logs.Config.Level", found[0].Field)
	require.NoError(t, n.Close(t.Context()))
}
