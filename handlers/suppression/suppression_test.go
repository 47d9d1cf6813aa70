package suppression_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/notifytest"
)

func to(category string, channels ...notify.Step) notify.Notification {
	return notify.Notification{
		To: notify.Recipient{ID: "ann", Addresses: map[notify.Channel]string{
			notify.EmailChannel: "ann@example.com", notify.SMSChannel: "+4930123456",
		}},
		Content: notify.Content{Title: "Shipped", Body: "On its way."}, Category: category, Tenant: "shop", Route: notify.First(channels...),
	}
}

type desk struct {
	*notifytest.Bench
	t    *testing.T
	list *suppression.List
	mail *notifytest.Provider[notify.Email]
	text *notifytest.Provider[notify.SMS]
}

func run(t *testing.T, f func(d *desk), options ...func(*suppression.Config)) {
	t.Helper()
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		d := &desk{b, t, suppression.New(suppression.NewMemory(), options...), notifytest.NewProvider[notify.Email]("mail"), notifytest.NewProvider[notify.SMS]("text")}
		notify.Use(b.Notifier, d.mail)
		notify.Use(b.Notifier, d.text)
		b.Notifier.Attach(d.list)
		f(d)
	})
}

// sends sends a notification and returns the state that it settles in.
func (d *desk) sends(nt notify.Notification) notify.State {
	d.t.Helper()
	status, err := d.Notifier.Wait(d.t.Context(), d.Send(nt))
	require.NoError(d.t, err)
	return status.State
}

// reports has the provider say something about a notification by mail.
func (d *desk) reports(nt notify.Notification, event any) {
	d.t.Helper()
	id := d.Send(nt)
	d.Settle(id)
	deliveries := d.mail.Deliveries()
	require.NoError(d.t, d.Notifier.Report(d.t.Context(), notify.Report{Key: deliveries[len(deliveries)-1].Key, Event: event}))
	require.NoError(d.t, d.Notifier.Handled(d.t.Context(), id, "suppression"))
}

// An address that bounced hard is not written to again, on any tenant's behalf
// but the others'; the other channel goes on.
func TestHardBounce(t *testing.T) {
	run(t, func(d *desk) {
		d.reports(to("", notify.EmailChannel), notify.Bounced{Class: notify.ClassAddress})
		require.Equal(t, notify.StateSent, d.sends(to("", notify.EmailChannel, notify.SMSChannel)), "by text")
		require.Len(t, d.text.Deliveries(), 1)
		require.Equal(t, notify.StateFailed, d.sends(to("", notify.EmailChannel)), "no route is left")
		other := to("", notify.EmailChannel)
		other.Tenant = "bank"
		require.Equal(t, notify.StateSent, d.sends(other))
		moved := to("", notify.EmailChannel)
		moved.To.Addresses[notify.EmailChannel] = "ann@example.org"
		require.Equal(t, notify.StateSent, d.sends(moved), "another address")
		require.Len(t, d.mail.Deliveries(), 3)
	})
}

func TestSoftBounce(t *testing.T) {
	run(t, func(d *desk) {
		d.reports(to("", notify.EmailChannel), notify.Bounced{Class: notify.ClassAddress, Soft: true})
		require.Equal(t, notify.StateSent, d.sends(to("", notify.EmailChannel)))
	})
}

// What the provider refuses at once counts too.
func TestInvalidAtOnce(t *testing.T) {
	run(t, func(d *desk) {
		d.mail.Next(notifytest.FailPermanently(notify.ClassAddress, "550"))
		id := d.Send(to("", notify.EmailChannel))
		d.Settle(id)
		require.NoError(t, d.Notifier.Handled(t.Context(), id, "suppression"))
		d.sends(to("", notify.EmailChannel))
		require.Len(t, d.mail.Deliveries(), 1)
	})
}

// A complaint follows the recipient to another address, and not to another
// channel; essential categories are sent all the same.
func TestComplaint(t *testing.T) {
	run(t, func(d *desk) {
		d.reports(to("offers", notify.EmailChannel), notify.Complained{})
		moved := to("offers", notify.EmailChannel)
		moved.To.Addresses[notify.EmailChannel] = "ann@example.org"
		require.Equal(t, notify.StateFailed, d.sends(moved))
		require.Equal(t, notify.StateFailed, d.sends(to("orders", notify.EmailChannel)))
		require.Equal(t, notify.StateSent, d.sends(to("offers", notify.SMSChannel)))
		require.Equal(t, notify.StateSent, d.sends(to("codes", notify.EmailChannel)))
		onlyMail := to("offers", notify.EmailChannel)
		delete(onlyMail.To.Addresses, notify.SMSChannel)
		id := d.Send(onlyMail)
		d.Settle(id)
		d.Require(id, notifytest.State(notify.StateSuppressed), notifytest.Once(notify.Suppressed{Guard: "suppression", Reason: "complaint"}))
	}, func(c *suppression.Config) { c.Essential = []string{"codes"} })
}

// Essential or not, an address that does not exist gets nothing.
func TestEssentialToNowhere(t *testing.T) {
	run(t, func(d *desk) {
		d.reports(to("codes", notify.EmailChannel), notify.Bounced{Class: notify.ClassAddress})
		require.Equal(t, notify.StateFailed, d.sends(to("codes", notify.EmailChannel)))
	}, func(c *suppression.Config) { c.Essential = []string{"codes"} })
}

// An unsubscribe is about its scope, or the category; a machine's is none; and
// the host can lift it, after which what comes again changes nothing.
func TestUnsubscribe(t *testing.T) {
	run(t, func(d *desk) {
		d.reports(to("offers", notify.EmailChannel), notify.Unsubscribed{Engagement: notify.Engagement{Machine: true}})
		require.Equal(t, notify.StateSent, d.sends(to("offers", notify.EmailChannel)))
		d.reports(to("offers", notify.EmailChannel), notify.Unsubscribed{})
		require.Equal(t, notify.StateFailed, d.sends(to("offers", notify.EmailChannel)))
		require.Equal(t, notify.StateSent, d.sends(to("orders", notify.EmailChannel)))
		require.Equal(t, notify.StateSent, d.sends(to("", notify.EmailChannel)))
		d.reports(to("orders", notify.EmailChannel), notify.Unsubscribed{Scope: "surveys"})
		require.Equal(t, notify.StateSent, d.sends(to("orders", notify.EmailChannel)))
		require.Equal(t, notify.StateFailed, d.sends(to("surveys", notify.EmailChannel)))

		time.Sleep(time.Millisecond)
		offers := suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: "ann"}, Scope: "offers"}
		require.NoError(t, d.list.Lift(t.Context(), offers))
		require.Equal(t, notify.StateSent, d.sends(to("offers", notify.EmailChannel)))
		time.Sleep(time.Millisecond)
		require.NoError(t, d.list.Suppress(t.Context(), offers))
		require.Equal(t, notify.StateFailed, d.sends(to("offers", notify.EmailChannel)))
		require.Len(t, notify.FieldErrors(d.list.Suppress(t.Context(), suppression.Key{})), 2)
	})
}

// Recipients without an ID are known by their address.
func TestWithoutAnID(t *testing.T) {
	run(t, func(d *desk) {
		nobody := to("offers", notify.EmailChannel)
		nobody.To.ID = ""
		d.reports(nobody, notify.Complained{})
		require.Equal(t, notify.StateFailed, d.sends(nobody))
		named := to("offers", notify.EmailChannel)
		require.Equal(t, notify.StateFailed, d.sends(named), "the same address")
		by := suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: d.list.Address(notify.EmailChannel, "ann@example.com")}
		time.Sleep(time.Millisecond)
		require.NoError(t, d.list.Lift(t.Context(), by))
		require.Equal(t, notify.StateSent, d.sends(nobody))
	})
}

// A leg that waits is looked at again before it is sent.
func TestALegThatWaits(t *testing.T) {
	run(t, func(d *desk) {
		d.mail.Next(notifytest.FailTemporarily(notify.ClassOther, ""))
		id := d.Send(to("offers", notify.EmailChannel))
		d.Until(id, notify.Retrying{})
		require.NoError(t, d.list.Suppress(t.Context(), suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: "ann"}}))
		d.Settle(id)
		d.Require(id, notifytest.State(notify.StateSuppressed))
		require.Len(t, d.mail.Deliveries(), 1)
	})
}

var errDown = errors.New("the store is down")

// shaky is a store that is down for a while.
type shaky struct {
	suppression.Store
	down atomic.Bool
}

func (s *shaky) Find(ctx context.Context, tenant string, subjects ...suppression.Subject) ([]suppression.Entry, error) {
	if s.down.Load() {
		return nil, errDown
	}
	return s.Store.Find(ctx, tenant, subjects...)
}

// While the list cannot be read nothing is sent, and nothing is lost.
func TestAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		store := &shaky{Store: suppression.NewMemory()}
		store.down.Store(true)
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		b.Notifier.Attach(suppression.New(store))
		id := b.Send(to("", notify.EmailChannel))
		b.Pass(time.Hour)
		require.Empty(t, mail.Deliveries())
		store.down.Store(false)
		b.Settle(id)
		require.Len(t, mail.Deliveries(), 1)
	})
}

func TestNilStore(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	n.Attach(suppression.New(nil))
	_, err = n.Send(t.Context(), to("", notify.EmailChannel))
	require.ErrorContains(t, err, "suppression.New: the store is nil")
	require.NoError(t, n.Close(t.Context()))
}
