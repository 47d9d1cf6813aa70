package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

func withTemplates(c *notify.Config) {
	c.Templates = fstest.MapFS{
		"shipped/email.subject.tmpl":    {Data: []byte("Order {{.Data.order}}")},
		"shipped/email.text.tmpl":       {Data: []byte("Dear {{.Recipient.Name}}, it is on its way.")},
		"shipped/de/email.subject.tmpl": {Data: []byte("Bestellung {{.Data.order}}")},
		"shipped/de/email.text.tmpl":    {Data: []byte("Hallo {{.Recipient.Name}}.")},
	}
}

func fromTemplate(data map[string]any, steps ...notify.Step) notify.Notification {
	nt := toAnna(steps...)
	nt.Content, nt.Template, nt.Data = notify.Content{}, "shipped", data
	return nt
}

func TestTemplates(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		notify.Use(b.Notifier, notifytest.NewProvider[notify.SMS]("text"))
		nt := fromTemplate(map[string]any{"order": 12345678}, notify.SMSChannel, notify.EmailChannel)
		nt.To.Locale = "de-AT"
		id := b.Send(nt)
		b.Settle(id)
		b.Require(id,
			notifytest.Once(notify.Routed{Rejected: []notify.Rejected{{Channel: notify.SMSChannel, Reason: notify.RejectNoTemplate}}}),
			notifytest.Once(notify.Rendered{Template: "shipped", Locale: "de"}),
			notifytest.State(notify.StateSent),
		)
		got := mail.Deliveries()[0].Message
		require.Equal(t, "Bestellung 12345678", got.Subject)
		require.Equal(t, "Hallo Anna.", got.Text)
	}, withTemplates)
}

func TestATemplateThatFails(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		id := b.Send(fromTemplate(nil, notify.EmailChannel)) // it lacks the order
		b.Settle(id)
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Routed{}, notify.Failed{Reason: notify.EndUnrenderable},
			notify.Undeliverable{Reason: notify.UndeliverableUnrenderable}, notify.Settled{State: notify.StateFailed},
		))
		require.Empty(t, mail.Calls())
	}, withTemplates)
}

// One leg that cannot be rendered does not end the others.
func TestARendererThatFails(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("no font") },
		"panic": func() error { panic("no font") },
	} {
		t.Run(name, func(t *testing.T) {
			inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
				text := notifytest.NewProvider[notify.SMS]("text")
				mail := notifytest.NewProvider[notify.Email]("mail")
				notify.Use(b.Notifier, text)
				notify.Use(b.Notifier, mail)
				notify.Render(b.Notifier, func(context.Context, notify.RenderRequest) (notify.SMS, error) {
					return notify.SMS{}, fail()
				})
				id := b.Send(toAnna(notify.SMSChannel, notify.EmailChannel))
				b.Settle(id)
				b.Require(id,
					notifytest.State(notify.StateSent),
					notifytest.Sequence(
						notify.Failed{Attempt: notify.Attempt{Leg: notify.Leg{Leg: 1, Channel: notify.SMSChannel}}, Reason: notify.EndUnrenderable},
						notify.FailedOver{Reason: notify.EndUnrenderable}, notify.Sent{},
					),
				)
				require.Empty(t, text.Calls())
			})
		})
	}
}

// What a renderer makes is checked as what a host sends is.
func TestARendererThatMakesNonsense(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		notify.Render(b.Notifier, func(context.Context, notify.RenderRequest) (notify.Email, error) {
			return notify.Email{To: "anna@example.com", Subject: "Hi\r\nBcc: all@example.com", Text: "Hi"}, nil
		})
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.Once(notify.Undeliverable{Reason: notify.UndeliverableUnrenderable}))
		require.Empty(t, mail.Calls())
	})
}

// letter is the message of a channel of the host's own.
type letter struct {
	To    string   `json:"to"`
	Pages []string `json:"pages"`
}

const letterChannel notify.Channel = "letter"

func (letter) Channel() notify.Channel { return letterChannel }

func TestAChannelOfTheHostsOwn(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		post := notifytest.NewProvider[letter]("post", keyed)
		post.Next(notifytest.LoseAnswer())
		notify.Use(b.Notifier, post, everySecond)
		notify.Render(b.Notifier, func(_ context.Context, req notify.RenderRequest) (letter, error) {
			return letter{To: req.Address, Pages: []string{req.Content.Title, req.Content.Body}}, nil
		})
		nt := toAnna(letterChannel)
		nt.To.Addresses = map[notify.Channel]string{letterChannel: "1 Main Street, Springfield"}
		id := b.Send(nt)
		b.Settle(id)
		b.Require(id,
			notifytest.State(notify.StateSent),
			notifytest.Once(notify.Sent{Attempt: notify.Attempt{Leg: notify.Leg{Leg: 1, Channel: letterChannel}, Provider: "post"}}),
			notifytest.At(time.Second, notify.Sent{}),
		)
		want := letter{To: "1 Main Street, Springfield", Pages: []string{"Shipped", "Your order is on its way."}}
		for _, d := range post.Deliveries() {
			require.Equal(t, want, d.Message)
		}
		require.Len(t, post.Calls(), 2)
		require.Equal(t, 1, post.Effects())
	})
}

func TestAChannelOfTheHostsOwnNeedsARenderer(t *testing.T) {
	notMade := "Use(post): nothing makes a notify_test.letter, for the channel letter: register what does with notify.Render"
	another := "Use(post): takes a notify_test.mail, but what is made for the channel email is a notify.Email: " +
		"register what makes the former with notify.Render"
	for name, c := range map[string]struct {
		roles    *notify.Roles
		register func(n *notify.Notifier)
		want     string
	}{
		"nothing makes it":      {nil, func(n *notify.Notifier) { notify.Use(n, notifytest.NewProvider[letter]("post")) }, notMade},
		"another one is made":   {nil, func(n *notify.Notifier) { notify.Use(n, notifytest.NewProvider[mail]("post")) }, another},
		"a renderer of another": {nil, func(n *notify.Notifier) { notify.Use(n, notifytest.NewProvider[mail]("post")); rendering[letter](n) }, another},
		"a renderer":            {nil, func(n *notify.Notifier) { rendering[letter](n); notify.Use(n, notifytest.NewProvider[letter]("post")) }, ""},
		"a renderer, after it":  {nil, func(n *notify.Notifier) { notify.Use(n, notifytest.NewProvider[mail]("post")); rendering[mail](n) }, ""},
		"another process delivers": {
			&notify.Roles{Route: true}, func(n *notify.Notifier) { notify.Use(n, notifytest.NewProvider[letter]("post")) }, "",
		},
		"another process delivers by it": {
			&notify.Roles{Deliver: true, Channels: []notify.Channel{notify.EmailChannel}},
			func(n *notify.Notifier) { notify.Use(n, notifytest.NewProvider[letter]("post")) }, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := notify.New(notify.Config{Roles: c.roles, Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, n.Close(context.Background())) })
			c.register(n)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			err = n.Run(ctx)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.Len(t, notify.FieldErrors(err), 1)
			require.EqualError(t, err, "notify: "+c.want)
			require.EqualError(t, n.Ready(t.Context()), err.Error())
		})
	}
}

// mail is a message of the host's own, for a channel of this library.
type mail struct{ To string }

func (mail) Channel() notify.Channel { return notify.EmailChannel }

func rendering[M notify.Message](n *notify.Notifier) {
	notify.Render(n, func(context.Context, notify.RenderRequest) (m M, err error) { return m, nil })
}
