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
	t     *testing.T
	store suppression.Store
	list  *suppression.List
	mail  *notifytest.Provider[notify.Email]
	text  *notifytest.Provider[notify.SMS]
}

func run(t *testing.T, f func(d *desk), options ...func(*suppression.Config)) {
	t.Helper()
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		store := suppression.NewMemory()
		d := &desk{b, t, store, suppression.New(store, options...), notifytest.NewProvider[notify.Email]("mail"), notifytest.NewProvider[notify.SMS]("text")}
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
		require.Equal(t, notify.StateSuppressed, d.sends(to("", notify.EmailChannel)), "no channel is left")
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
		require.Equal(t, notify.StateSuppressed, d.sends(moved))
		require.Equal(t, notify.StateSuppressed, d.sends(to("orders", notify.EmailChannel)))
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
		require.Equal(t, notify.StateSuppressed, d.sends(to("codes", notify.EmailChannel)))
	}, func(c *suppression.Config) { c.Essential = []string{"codes"} })
}

// An unsubscribe is about its scope, or the category; a machine's is none; and
// the host can lift it, after which what comes again changes nothing.
func TestUnsubscribe(t *testing.T) {
	run(t, func(d *desk) {
		d.reports(to("offers", notify.EmailChannel), notify.Unsubscribed{Engagement: notify.Engagement{Machine: true}})
		require.Equal(t, notify.StateSent, d.sends(to("offers", notify.EmailChannel)))
		d.reports(to("offers", notify.EmailChannel), notify.Unsubscribed{})
		require.Equal(t, notify.StateSuppressed, d.sends(to("offers", notify.EmailChannel)))
		require.Equal(t, notify.StateSent, d.sends(to("orders", notify.EmailChannel)))
		require.Equal(t, notify.StateSent, d.sends(to("", notify.EmailChannel)))
		d.reports(to("orders", notify.EmailChannel), notify.Unsubscribed{Scope: "surveys"})
		require.Equal(t, notify.StateSent, d.sends(to("orders", notify.EmailChannel)))
		require.Equal(t, notify.StateSuppressed, d.sends(to("surveys", notify.EmailChannel)))

		offers := suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: "ann"}, Scope: "offers"}
		require.NoError(t, d.list.Lift(t.Context(), offers))
		require.Equal(t, notify.StateSent, d.sends(to("offers", notify.EmailChannel)))
		require.NoError(t, d.list.Suppress(t.Context(), offers))
		require.Equal(t, notify.StateSuppressed, d.sends(to("offers", notify.EmailChannel)))
		require.Len(t, notify.FieldErrors(d.list.Suppress(t.Context(), suppression.Key{})), 2)
	})
}

// Recipients without an ID are known by their address.
func TestWithoutAnID(t *testing.T) {
	run(t, func(d *desk) {
		nobody := to("offers", notify.EmailChannel)
		nobody.To.ID = ""
		d.reports(nobody, notify.Complained{})
		require.Equal(t, notify.StateSuppressed, d.sends(nobody))
		named := to("offers", notify.EmailChannel)
		require.Equal(t, notify.StateSuppressed, d.sends(named), "the same address")
		by := suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: d.list.Address(notify.EmailChannel, "ann@example.com")}
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

// What has no channel left on its route ends as suppressed, also if there is an
// address that the route has nothing to do with: nothing of it failed.
func TestNoChannelOfTheRouteIsLeft(t *testing.T) {
	run(t, func(d *desk) {
		d.reports(to("offers", notify.EmailChannel), notify.Unsubscribed{})
		id := d.Send(to("offers", notify.EmailChannel))
		d.Settle(id)
		d.Require(id, notifytest.State(notify.StateSuppressed), notifytest.Once(notify.Suppressed{Guard: "suppression", Reason: "unsubscribe"}))
		onlyMail := to("offers", notify.EmailChannel, notify.SMSChannel)
		delete(onlyMail.To.Addresses, notify.SMSChannel)
		require.Equal(d.t, notify.StateSuppressed, d.sends(onlyMail))
		onlyText := to("offers", notify.EmailChannel, notify.SMSChannel)
		delete(onlyText.To.Addresses, notify.EmailChannel)
		require.Equal(d.t, notify.StateSent, d.sends(onlyText))
		require.Equal(d.t, notify.StateSent, d.sends(to("offers", notify.EmailChannel, notify.SMSChannel)))
	})
}

// The host has the last word, whatever the clock says: of a provider, of another
// process, or of this one, within a microsecond.
func TestTheHostHasTheLastWord(t *testing.T) {
	run(t, func(d *desk) {
		everything := suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: "ann"}}
		for range 3 {
			require.NoError(d.t, d.list.Suppress(d.t.Context(), everything))
			require.Equal(d.t, notify.StateSuppressed, d.sends(to("offers", notify.EmailChannel)))
			require.NoError(d.t, d.list.Lift(d.t.Context(), everything))
			require.Equal(d.t, notify.StateSent, d.sends(to("offers", notify.EmailChannel)))
		}
		for _, ahead := range []time.Duration{time.Hour, 24 * time.Hour} { // another process
			d.Pass(100 * time.Hour)
			require.NoError(d.t, d.store.Set(d.t.Context(), suppression.Entry{Key: everything, Reason: suppression.ByHost, At: time.Now().UTC().Add(ahead)}))
			require.NoError(d.t, d.list.Lift(d.t.Context(), everything))
			require.Equal(d.t, notify.StateSent, d.sends(to("offers", notify.EmailChannel)))
			require.NoError(d.t, d.list.Suppress(d.t.Context(), everything))
			require.Equal(d.t, notify.StateSuppressed, d.sends(to("offers", notify.EmailChannel)))
		}
		require.NoError(d.t, d.store.Set(d.t.Context(), suppression.Entry{Key: everything, Reason: suppression.ByHost, Lifted: true, At: time.Now().UTC().AddDate(1, 0, 0)}))
		require.ErrorContains(d.t, d.list.Suppress(d.t.Context(), everything), "try again")
		require.Equal(d.t, notify.StateSent, d.sends(to("offers", notify.EmailChannel)))
	})
}

// What a provider says of the time to come is true from when it says so: a Lift is
// later, and so is what is suppressed then.
func TestAReportOfTheFuture(t *testing.T) {
	run(t, func(d *desk) {
		id := d.Send(to("offers", notify.EmailChannel))
		d.Settle(id)
		said := func(eventID string) {
			deliveries := d.mail.Deliveries()
			require.NoError(d.t, d.Notifier.Report(d.t.Context(), notify.Report{
				Key: deliveries[len(deliveries)-1].Key, Event: notify.Complained{}, EventID: eventID, At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
			}))
			require.NoError(d.t, d.Notifier.Handled(d.t.Context(), id, "suppression"))
		}
		said("first")
		everything := suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: "ann"}}
		require.Equal(d.t, notify.StateSuppressed, d.sends(to("offers", notify.EmailChannel)))
		d.Pass(time.Minute)
		require.NoError(d.t, d.list.Lift(d.t.Context(), everything))
		require.Equal(d.t, notify.StateSent, d.sends(to("offers", notify.EmailChannel)))
		require.NoError(d.t, d.Notifier.Replay(d.t.Context(), "suppression", time.Time{}))
		require.Equal(d.t, notify.StateSent, d.sends(to("offers", notify.EmailChannel)), "it is an old one")
		d.Pass(time.Minute)
		said("second")
		require.Equal(d.t, notify.StateSuppressed, d.sends(to("offers", notify.EmailChannel)))
	})
}

// Who is detached may be attached again, while its guard goes on.
func TestAttachedAgain(t *testing.T) {
	run(t, func(d *desk) {
		d.Start()
		require.NoError(d.t, d.Notifier.Detach(d.t.Context(), "suppression"))
		d.Notifier.Attach(d.list)
		require.NoError(d.t, d.Notifier.Ready(d.t.Context()))
		d.reports(to("offers", notify.EmailChannel), notify.Complained{})
		require.Equal(d.t, notify.StateSuppressed, d.sends(to("offers", notify.EmailChannel)))
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
