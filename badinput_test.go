package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

func quietly() notify.Config { return notify.Config{Logger: slog.New(slog.DiscardHandler)} }

func newNotifier(t *testing.T) *notify.Notifier {
	t.Helper()
	n, err := notify.New(quietly())
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close(context.Background()) })
	return n
}

func fieldsOf(err error) []string {
	var fields []string
	for _, f := range notify.FieldErrors(err) {
		fields = append(fields, f.Field)
	}
	return fields
}

func toAnn() notify.Notification {
	return notify.Notification{
		To:      notify.Recipient{ID: "u_1", Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "On its way."},
		Route:   notify.First(notify.EmailChannel),
	}
}

// Each bad input is refused with its field, and everything wrong at once.
func TestBadNotification(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil func(*notify.Notification)
		field string
	}{
		"empty recipient": {func(n *notify.Notification) { n.To = notify.Recipient{} }, "To"},
		"unknown channel": {func(n *notify.Notification) { n.To.Addresses["pigeon"] = "coop 1" }, "To.Addresses[pigeon]"},
		"invalid address": {func(n *notify.Notification) { n.To.Addresses[notify.EmailChannel] = "ann" }, "To.Addresses[email]"},
		"CR LF in the address": {func(n *notify.Notification) {
			n.To.Addresses[notify.EmailChannel] = "ann@example.com\r\nBcc: x@example.com"
		}, "To.Addresses[email]"},
		"CR in the name":        {func(n *notify.Notification) { n.To.Name = "Ann\rBcc: x" }, "To.Name"},
		"LF in the title":       {func(n *notify.Notification) { n.Content.Title = "a\nBcc: x" }, "Content.Title"},
		"NUL in the title":      {func(n *notify.Notification) { n.Content.Title = "a\x00b" }, "Content.Title"},
		"NUL in the body":       {func(n *notify.Notification) { n.Content.Body = "a\x00b" }, "Content.Body"},
		"CR LF in reply-to":     {func(n *notify.Notification) { n.Content.ReplyTo = "a@example.com\r\nBcc: x" }, "Content.ReplyTo"},
		"LF in the unsubscribe": {func(n *notify.Notification) { n.Content.UnsubscribeURL = "https://example.com/\nBcc: x" }, "Content.UnsubscribeURL"},
		"LF in an attachment":   {func(n *notify.Notification) { n.Content.Attachments = []notify.Attachment{{Name: "a\nb", Ref: "r"}} }, "Content.Attachments[0].Name"},
		"LF in a content type": {func(n *notify.Notification) {
			n.Content.Attachments = []notify.Attachment{{Name: "a", Ref: "r", ContentType: "text/plain\nX: y"}}
		}, "Content.Attachments[0].ContentType"},
		"LF in the key":            {func(n *notify.Notification) { n.Key = "a\nb" }, "Key"},
		"LF in the tenant":         {func(n *notify.Notification) { n.Tenant = "a\nb" }, "Tenant"},
		"LF in a label":            {func(n *notify.Notification) { n.Labels = map[string]string{"a": "b\nc"} }, "Labels"},
		"invalid UTF-8":            {func(n *notify.Notification) { n.Content.Body = "\xff" }, "Content.Body"},
		"invalid UTF-8 in data":    {func(n *notify.Notification) { n.Data = map[string]any{"order": "\xff"} }, "Data[order]"},
		"body over its cap":        {func(n *notify.Notification) { n.Content.Body = strings.Repeat("x", 300<<10) }, "Notification"},
		"no content":               {func(n *notify.Notification) { n.Content = notify.Content{} }, "Content"},
		"channel without provider": {func(n *notify.Notification) { n.Route = notify.First(notify.EmailChannel, notify.SMSChannel) }, "Route.First[1]"},
		"a nil step":               {func(n *notify.Notification) { n.Route = notify.First(nil) }, "Route.First[0]"},
		"expired before it begins": {func(n *notify.Notification) {
			n.NotBefore, n.ExpiresAt = time.Now().Add(2*time.Hour), time.Now().Add(time.Hour)
		}, "ExpiresAt"},
		"a year that JSON has not": {func(n *notify.Notification) { n.NotBefore = time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC) }, "NotBefore"},
	}
	n := newNotifier(t)
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	everything := toAnn()
	for name, test := range tests {
		nt := toAnn()
		test.spoil(&nt)
		_, err := n.Send(t.Context(), nt)
		require.Contains(t, fieldsOf(err), test.field, name)

		_, err = n.SendBatch(t.Context(), []notify.Notification{toAnn(), nt})
		require.Contains(t, fieldsOf(err), "[1]."+test.field, name)
		_, err = n.Explain(t.Context(), nt)
		require.Contains(t, fieldsOf(err), test.field, name)
	}
	everything.To.Name, everything.Content.Title, everything.Route = "\n", "\n", notify.First(notify.ChatChannel)
	_, err := n.Send(t.Context(), everything)
	require.ElementsMatch(t, []string{"To.Name", "Content.Title", "Route.First[0]"}, fieldsOf(err))
}

// A batch of which one is wrong sends nothing.
func TestBadBatchSendsNothing(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		b.Start()
		bad := toAnn()
		bad.Content.Title = "\n"
		_, err := b.Notifier.SendBatch(t.Context(), []notify.Notification{toAnn(), bad})
		require.Equal(t, []string{"[1].Content.Title"}, fieldsOf(err))
		b.Pass(time.Hour)
		require.Zero(t, mail.Effects())
	})
}

// Bad registrations come from Ready, Run and Send alike, all at once, and
// nothing runs.
func TestBadRegistrations(t *testing.T) {
	t.Parallel()
	n := newNotifier(t)
	var missing *notifytest.Provider[notify.Email]
	handle := func(context.Context, notify.Event[notify.Sent]) error { return nil }
	notify.Use[notify.Email](n, nil)
	notify.Use[notify.Email](n, missing)
	notify.Use(n, notifytest.NewProvider[notify.SMS]("not a name"))
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	notify.Use(n, notifytest.NewProvider[notify.SMS]("mail"))
	notify.On(n, "twice", handle)
	notify.On(n, "twice", handle)
	notify.On[notify.Event[notify.Sent]](n, "no-event", nil)
	notify.On[notify.Sent](n, "nil", nil)
	n.Observe(notify.Observer{})
	n.Attach(nil)
	n.Guard("guard", nil)
	notify.Render[notify.Email](n, nil)

	want := []string{
		"Use[notify.Email]", "Use[notify.Email]", "Use[notify.SMS]", "Use(mail)", `Observer("twice").Name`,
		`Observer("no-event").Handlers[0]`, `Observer("nil").Handlers[0]`, `Observer("").Name`, `Observer("").Handlers`,
		"Attach[0]", `Guard("guard")`, "Render[notify.Email]",
	}
	for range 2 {
		ready := make(chan error, 1)
		go func() { ready <- n.Ready(context.Background()) }()
		require.ElementsMatch(t, want, fieldsOf(n.Run(t.Context())))
		require.ElementsMatch(t, want, fieldsOf(<-ready), "Ready must not wait for what cannot come")
	}
	_, err := n.Send(t.Context(), toAnn())
	require.ElementsMatch(t, want, fieldsOf(err))
	_, err = n.SendBatch(t.Context(), []notify.Notification{toAnn()})
	require.ElementsMatch(t, want, fieldsOf(err), "they are not the notification's")
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	c := quietly()
	c.AddressKey, c.MaxBytes, c.Budgets.Message, c.Source = []byte("short"), -1, -1, "a b"
	c.Roles = &notify.Roles{Channels: []notify.Channel{"A"}, Elsewhere: []notify.Channel{"B"}}
	_, err := notify.New(c)
	require.ElementsMatch(t, []string{
		"Config.AddressKey", "Config.MaxBytes", "Config.Budgets.Message", "Config.Source",
		"Config.Roles.Channels[0]", "Config.Roles.Elsewhere[0]",
	}, fieldsOf(err))

	c = quietly()
	c.Route = notify.First(notify.SMSChannel)
	n, err := notify.New(c)
	require.NoError(t, err)
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	go func() { _ = n.Run(context.Background()) }()
	require.Equal(t, []string{"Config.Route.First[0]"}, fieldsOf(n.Ready(t.Context())))
	require.NoError(t, n.Close(t.Context()))
}

func TestUseAfterClose(t *testing.T) {
	t.Parallel()
	handle := func(context.Context, notify.Event[notify.Sent]) error { return nil }
	closed := func(t *testing.T, n *notify.Notifier) {
		ctx := t.Context()
		_, err := n.Send(ctx, toAnn())
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = n.SendBatch(ctx, nil)
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = n.Explain(ctx, toAnn())
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = n.Cancel(ctx, "x")
		require.ErrorIs(t, err, notify.ErrClosed)
		require.ErrorIs(t, n.Report(ctx, notify.Report{}), notify.ErrClosed)
		_, err = n.Status(ctx, "x")
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = n.Wait(ctx, "x")
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = n.DeadLetters(ctx, "", "", 0)
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = notify.Emit(ctx, n, notify.ProviderUp{})
		require.ErrorIs(t, err, notify.ErrClosed)
		require.ErrorIs(t, n.Ready(ctx), notify.ErrClosed)
		require.ErrorIs(t, n.Run(ctx), notify.ErrClosed)
		require.NoError(t, n.Close(ctx))
		notify.On(n, "late", handle)
		require.ErrorIs(t, n.Detach(ctx, "late"), notify.ErrNotFound, "nothing half done")
		notify.Use(n, notifytest.NewProvider[notify.SMS]("late"))
		require.Empty(t, n.Stats(ctx).Providers)
	}
	t.Run("never ran", func(t *testing.T) {
		t.Parallel()
		n := newNotifier(t)
		require.NoError(t, n.Close(t.Context()))
		closed(t, n)
	})
	t.Run("ran", func(t *testing.T) {
		t.Parallel()
		n := newNotifier(t)
		go func() { _ = n.Run(context.Background()) }()
		require.NoError(t, n.Ready(t.Context()))
		require.NoError(t, n.Close(t.Context()))
		closed(t, n)
	})
	t.Run("its context ended", func(t *testing.T) {
		t.Parallel()
		n := newNotifier(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, n.Run(ctx))
		closed(t, n)
	})
}

// Run, Ready, Close and registrations in any order and at once.
func TestLifecycleAtOnce(t *testing.T) {
	t.Parallel()
	for range 50 {
		n, err := notify.New(quietly())
		require.NoError(t, err)
		ended := make(chan error, 5)
		ctx := context.Background()
		go func() { ended <- n.Run(ctx) }()
		go func() { ended <- n.Close(ctx) }()
		go func() { ended <- n.Close(ctx) }()
		go func() { ended <- n.Ready(ctx) }()
		go func() {
			notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
			notify.On(n, "o", func(context.Context, notify.Event[any]) error { return nil })
			_, _ = n.Send(ctx, toAnn())
			_, _ = n.Explain(ctx, toAnn())
			n.Stats(ctx)
			ended <- nil
		}()
		for range cap(ended) {
			// Use may have come too late, which Ready tells.
			if err := <-ended; err != nil && len(notify.FieldErrors(err)) == 0 {
				require.ErrorIs(t, err, notify.ErrClosed)
			}
		}
	}
}

// Two Notifiers share a backend, and closing one leaves the other at work.
func TestKeepBackend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := quietly()
		c.Backend, c.KeepBackend = memory.New(), true
		mail := notifytest.NewProvider[notify.Email]("mail")
		var all []*notify.Notifier
		for range 2 {
			n, err := notify.New(c)
			require.NoError(t, err)
			notify.Use(n, mail)
			go func() { _ = n.Run(context.Background()) }()
			require.NoError(t, n.Ready(t.Context()))
			all = append(all, n)
		}
		require.NoError(t, all[0].Close(t.Context()))
		id, err := all[1].Send(t.Context(), toAnn())
		require.NoError(t, err)
		status, err := all[1].Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateSent, status.State)
		require.NoError(t, all[1].Close(t.Context()))
		require.NoError(t, c.Backend.Close())
	})
}

// A directory, a backoff and a guard of the host's that panic bring down
// neither the program nor other notifications.
func TestHostsPanic(t *testing.T) {
	t.Parallel()
	first := true
	directory := notify.DirectoryFunc(func(context.Context, string) (notify.Recipient, error) {
		if first {
			first = false
			panic("directory")
		}
		return toAnn().To, nil
	})
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(notifytest.FailTemporarily(notify.ClassService, "451"))
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Backoff = func(int) time.Duration { panic("backoff") } })
		nt := toAnn()
		nt.To = notify.User("u_1")
		id := b.Send(nt)
		b.Settle(id)
		b.Require(id, notifytest.State(notify.StateSent))
	}, func(c *notify.Config) { c.Directory = directory })
}

// A guard whose delay is over is no reason not to ask the next.
func TestGuardsAfterADelayInThePast(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		b.Notifier.Guard("hours", func(_ context.Context, req notify.GuardRequest) (notify.Decision, error) {
			return notify.DelayUntil(req.Now, "quiet"), nil
		})
		b.Notifier.Guard("preferences", func(context.Context, notify.GuardRequest) (notify.Decision, error) {
			return notify.Suppress("unsubscribed"), nil
		})
		id := b.Send(toAnn())
		b.Settle(id)
		b.Require(id, notifytest.State(notify.StateSuppressed))
		require.Zero(t, mail.Effects())
	})
}

// What a cancel leaves for an unknown ID is no notification.
func TestStatusOfWhatWasOnlyCanceled(t *testing.T) {
	t.Parallel()
	n := newNotifier(t)
	answer, err := n.Cancel(t.Context(), "nobody-sent-it")
	require.NoError(t, err)
	require.Equal(t, notify.CancelDone, answer)
	_, err = n.Status(t.Context(), "nobody-sent-it")
	require.ErrorIs(t, err, notify.ErrNotFound)
	_, err = n.Wait(t.Context(), "nobody-sent-it")
	require.ErrorIs(t, err, notify.ErrNotFound)
}

// A report about a message that never becomes known is dropped in the end, also
// when what it tells of is long past.
func TestParkedReportExpires(t *testing.T) {
	t.Parallel()
	var store *memory.Backend
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		b.Start()
		report := notify.Report{Provider: "mail", MessageID: "m", Event: notify.Bounced{}, At: time.Now().Add(-100 * time.Hour)}
		for range 20 {
			require.NoError(t, b.Notifier.Report(t.Context(), report), "the same again takes no room")
		}
		_, next, err := store.Due(t.Context(), time.Now(), 1)
		require.NoError(t, err)
		require.False(t, next.IsZero())
		b.Pass(80 * time.Hour)
		ids, next, err := store.Due(t.Context(), time.Now(), 1)
		require.NoError(t, err)
		require.Empty(t, ids)
		require.True(t, next.IsZero(), "it still waits")
	}, func(c *notify.Config) { store = memory.New(); c.Backend = store })
}

func TestBadReport(t *testing.T) {
	t.Parallel()
	n := newNotifier(t)
	tests := map[string]notify.Report{
		"Report.Key":       {Key: "x", Event: notify.Delivered{}},
		"Report":           {Event: notify.Delivered{}},
		"Report.Event":     {Provider: "p", MessageID: "m", Event: errors.New("x")},
		"Report.Provider":  {Provider: "P/", MessageID: "m", Event: notify.Delivered{}},
		"Report.MessageID": {Provider: "p", MessageID: "m\n", Event: notify.Delivered{}},
		"Report.EventID":   {Provider: "p", MessageID: "m", EventID: "\xff", Event: notify.Delivered{}},
		"Report.At":        {Provider: "p", MessageID: "m", Event: notify.Delivered{}, At: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	for field, report := range tests {
		require.Equal(t, []string{field}, fieldsOf(n.Report(t.Context(), report)))
	}
}

// touchy is an event whose methods panic.
type touchy struct{ writes bool }

func (e touchy) MarshalJSON() ([]byte, error) {
	if e.writes {
		panic("s3cret")
	}
	return []byte(`{}`), nil
}

func (e *touchy) UnmarshalJSON([]byte) error { panic("s3cret") }

// An event that panics when it is written or read becomes a dead letter, where
// nothing recovers for the handlers too.
func TestAnEventThatPanics(t *testing.T) {
	t.Parallel()
	t.Run("when it is written", func(t *testing.T) {
		t.Parallel()
		onBus(t, func(b *busTest) {
			notify.RegisterEvent[touchy](b.Notifier, "shop.touchy.v1")
			notify.On(b.Notifier, "o", refuse[touchy], func(o *notify.Observer) { o.Retry.Attempts = 1 })
			b.run()
			id, err := notify.Emit(b.ctx, b.Notifier, touchy{writes: true})
			if err != nil { // on a wire, and in builds with the race detector
				require.ErrorContains(t, err, "touchy cannot be written as JSON")
				require.NotContains(t, err.Error(), "s3cret")
				return
			}
			synctest.Wait()
			require.Len(t, b.letters("o"), 1)
			require.Equal(t, id, b.letters("o")[0].Event.ID)
			require.NotContains(t, b.log.String(), "s3cret")
		})
	})
	t.Run("when it is read", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			mem := memory.New(func(c *memory.Config) { c.MaxParkedPerKey = 1 })
			runBus(t, notify.Config{Backend: notifytest.WireOnly(mem)}, func(b *busTest) {
				notify.RegisterEvent[touchy](b.Notifier, "shop.touchy.v1")
				notify.On(b.Notifier, "o", refuse[paid], func(o *notify.Observer) {
					o.Retry = notify.Retry{Attempts: -1, Backoff: every(time.Hour)}
				})
				b.run()
				b.pay("1", "n1")
				time.Sleep(time.Second)
				_, err := notify.Emit(b.ctx, b.Notifier, touchy{}, func(e *notify.Envelope) { e.NotificationID = "n1" })
				require.NoError(t, err)
				synctest.Wait()
				require.Len(t, b.letters("o"), 1)
				require.Equal(t, notify.ObserverUndecodable, b.letters("o")[0].Class)
				require.Zero(t, b.letters("o")[0].Attempts, "it had no room")
				require.NotContains(t, b.log.String(), "s3cret")
			})
		})
	})
}

func refuse[T any](context.Context, notify.Event[T]) error { return errHandler }
