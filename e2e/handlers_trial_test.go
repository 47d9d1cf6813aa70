package e2e_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/notifytest"
)

// place is where a trial's backend keeps what it has: in memory that outlives the
// processes, as a server does, or in a file that each opens.
type place struct {
	open func() notifytest.FullBackend
	keep bool
}

func inMemory() place {
	b := memory.New()
	return place{open: func() notifytest.FullBackend { return b }, keep: true}
}

func onFile(file string) place {
	return place{open: func() notifytest.FullBackend { return sqlite.Open(file) }}
}

// trial has a handler see everything, in bad times.
type trial struct {
	t       *testing.T
	place   place
	trouble *trouble
	process *process // that runs, or died last
	subject subject

	// The services outlive the processes.
	mail *notifytest.Provider[notify.Email]
	push *notifytest.Provider[notify.Push]
	sms  *notifytest.Provider[notify.SMS]

	sent []sent
}

// sent is a notification, and how it is to end.
type sent struct {
	id, recipient, fate string
}

// fates are what the trial's notifications come to.
var fates = []string{"delivered", "failed over", "bounced", "complained", "unsubscribed", "canceled", "expired"}

const waves = 4

// truth is what the records say in the end.
type truth struct {
	sent   []sent
	status map[string]notify.Status
	events map[string][]notify.Event[any] // by notification, in their order
	buried map[string]bool                // the events that were dead letters
}

// all yields every event.
func (k truth) all() []notify.Event[any] {
	var all []notify.Event[any]
	for _, s := range k.sent {
		all = append(all, k.events[s.id]...)
	}
	return all
}

// disorder tells how the first of each of the notification's events, in the order
// in which they came, differs from the log's order. An event that was a dead letter
// came later.
func (k truth) disorder(id string, came []string) string {
	var want, got []string
	for _, e := range k.events[id] {
		if slices.Contains(came, e.ID) && !k.buried[e.ID] {
			want = append(want, e.ID)
		}
	}
	for _, one := range came {
		if !k.buried[one] && !slices.Contains(got, one) && slices.Contains(want, one) {
			got = append(got, one)
		}
	}
	if slices.Equal(want, got) {
		return ""
	}
	return fmt.Sprintf("in the order %v, not %v", got, want)
}

func newTrial(t *testing.T, where place) *trial {
	honours := func(c *notify.Capabilities) { c.KeyWindow = time.Hour }
	r := &trial{
		t: t, place: where, trouble: newTrouble(),
		mail: notifytest.NewProvider[notify.Email]("mail", honours, func(c *notify.Capabilities) { c.Receipts = true }),
		// What it refused stays refused, also when the answer died with a process.
		push: notifytest.NewProvider[notify.Push]("push", honours, func(c *notify.Capabilities) { c.ReplaysFailures = true }),
		sms:  notifytest.NewProvider[notify.SMS]("sms", honours),
	}
	r.mail.Decide(func(d notify.Delivery[notify.Email]) notifytest.Outcome {
		if strings.Contains(d.Message.Text, "expired") {
			return notifytest.FailTemporarily(notify.ClassOther, "later")
		}
		return notifytest.Succeed()
	})
	r.push.Always(notifytest.FailPermanently(notify.ClassAddress, "unregistered"))
	return r
}

// run is the trial. It returns what is wrong in the end.
func (r *trial) run(s subject) []string {
	r.subject = s
	r.start()
	for wave := range waves {
		r.sendAll(wave)
	}
	for _, one := range r.sent {
		if one.fate != "canceled" {
			r.do(func(p *process) error { return p.settled(one) })
		}
	}
	r.do(func(*process) error { return r.trouble.missing() }) // an observer may be behind
	r.trouble.end()                                           // what has begun may still come again
	if s.midway != nil {
		r.do(s.midway)
	}
	known := r.heal()
	if s.rested != nil {
		r.do(func(p *process) error { return s.rested(p, known) })
	}
	wrong := s.check(r.process, known)
	r.process.stop(context.Background())
	return wrong
}

// settled waits until the notification has settled.
func (p *process) settled(one sent) error {
	ctx, cancel := context.WithTimeout(p.ctx, 40*time.Second)
	defer cancel()
	_, err := p.Wait(ctx, one.id)
	if err != nil {
		status, _ := p.Status(p.ctx, one.id)
		return fmt.Errorf("%s has not settled: %+v: %w", one.fate, status, err)
	}
	return nil
}

// sendAll sends one notification of each fate, and has happen what makes it.
func (r *trial) sendAll(wave int) {
	var now []sent
	for _, fate := range fates {
		name := fmt.Sprintf("%s-%d", strings.ReplaceAll(fate, " ", "-"), wave)
		nt := notify.Notification{
			Key: name, Tenant: "shop", Category: "news", Route: notify.First(notify.EmailChannel), Content: notify.Content{Body: name},
			To: notify.Recipient{ID: "u-" + name, Addresses: map[notify.Channel]string{notify.EmailChannel: name + "@example.com"}},
		}
		switch fate {
		case "failed over":
			nt.To.Addresses[notify.PushChannel] = "token-" + name
			nt.Route = notify.First(notify.PushChannel, notify.EmailChannel)
		case "canceled":
			nt.NotBefore = time.Now().Add(time.Hour)
		case "expired":
			nt.ExpiresAt = time.Now().Add(time.Second)
		}
		one := sent{recipient: nt.To.ID, fate: fate}
		r.do(func(p *process) (err error) { one.id, err = p.Send(p.ctx, nt); return err })
		now = append(now, one)
	}
	for _, one := range now {
		switch one.fate {
		case "delivered", "failed over":
			r.report(one, notify.Delivered{})
		case "bounced":
			r.report(one, notify.Bounced{Class: notify.ClassAddress})
		case "complained":
			r.report(one, notify.Delivered{}, notify.Opened{}, notify.Complained{})
		case "unsubscribed":
			r.report(one, notify.Delivered{}, notify.Unsubscribed{})
		case "canceled":
			r.do(func(p *process) error { _, err := p.Cancel(p.ctx, one.id); return err })
		}
	}
	r.sent = append(r.sent, now...)
}

// report has the service say what became of the message, again until it is heard.
func (r *trial) report(one sent, events ...any) {
	at := time.Now()
	for i, event := range events {
		r.do(func(p *process) error {
			receipts := r.mail.Receipts(one.id)
			if len(receipts) == 0 {
				return errors.New("the service has no message yet")
			}
			return p.Report(p.ctx, notify.Report{
				Provider: "mail", MessageID: receipts[0].MessageID, Event: event, EventID: fmt.Sprint(i), At: at.Add(time.Duration(i) * time.Microsecond),
			})
		})
	}
}

// do does something in a process that lives, again and in the next one until it is
// done.
func (r *trial) do(what func(p *process) error) {
	r.t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if r.process.ctx.Err() != nil {
			r.process.bury()
			r.start()
		}
		if err = what(r.process); err == nil {
			return
		}
		pace(r.process.ctx)
	}
	require.NoError(r.t, err, "in a minute")
}

// pace lets others do something.
func pace(ctx context.Context) {
	select {
	case <-time.After(2 * time.Millisecond):
	case <-ctx.Done():
	}
}

// heal redrives what was given up, until the handler has handled everything, and
// returns what is known then.
func (r *trial) heal() truth {
	known := truth{sent: r.sent, status: map[string]notify.Status{}, events: map[string][]notify.Event[any]{}, buried: map[string]bool{}}
	for _, observer := range r.subject.observers {
		// First all that will be a dead letter.
		for _, one := range r.sent {
			r.do(func(p *process) error {
				if err := p.Handled(p.ctx, one.id, observer); !errors.Is(err, notify.ErrDeadLetter) {
					return err
				}
				return nil
			})
		}
		r.do(func(p *process) error {
			letters, err := p.DeadLetters(p.ctx, observer, "", 1000)
			for _, l := range letters {
				known.buried[l.Event.ID] = true
			}
			if err == nil {
				_, err = p.Redrive(p.ctx, observer)
			}
			for _, one := range r.sent {
				err = cmp.Or(err, p.Handled(p.ctx, one.id, observer))
			}
			return err
		})
	}
	for _, one := range r.sent {
		r.do(func(p *process) error {
			var events []notify.Event[any]
			ctx, cancel := context.WithCancel(p.ctx)
			defer cancel()
			for e, err := range p.Watch(ctx, one.id) {
				if err != nil {
					return err
				}
				events = append(events, e)
			}
			status, err := p.Status(p.ctx, one.id)
			known.events[one.id], known.status[one.id] = events, status
			return err
		})
	}
	r.trouble.buried = len(known.buried)
	return known
}

// process is one life of the host.
type process struct {
	*notify.Notifier
	r        *trial
	backend  notifytest.FullBackend // as it is
	ctx      context.Context        // ends when the process dies
	die      context.CancelFunc
	ended    chan error
	besideIs chan struct{} // closed when beside has ended
}

// start begins the next process.
func (r *trial) start() {
	p := &process{r: r, backend: r.place.open(), ended: make(chan error, 1), besideIs: make(chan struct{})}
	p.ctx, p.die = context.WithCancel(context.Background())
	n, err := notify.New(notify.Config{
		Backend: mortally(p.ctx, p.backend), KeepBackend: r.place.keep, Source: "trial", Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(r.t, err)
	p.Notifier = n
	quick := func(c *notify.ProviderConfig) {
		c.Backoff = func(int) time.Duration { return 50 * time.Millisecond }
		c.Attempts, c.BreakerFailures = 1000, -1
	}
	notify.Use(n, r.mail, quick)
	notify.Use(n, r.push, quick)
	notify.Use(n, r.sms, quick)
	r.process = p
	r.trouble.begin(p)
	r.subject.attach(p)
	go func() { p.ended <- n.Run(context.Background()) }()
	go func() {
		defer close(p.besideIs)
		for p.ctx.Err() == nil && r.subject.beside != nil {
			r.subject.beside(p)
			pace(p.ctx)
		}
	}()
	require.NoError(r.t, n.Ready(context.Background()))
}

// bury ends what is left of a process that died.
func (p *process) bury() {
	<-p.besideIs
	_ = p.Close(p.ctx) // at once: it says what was under way
	<-p.ended
	if !p.r.place.keep {
		require.NoError(p.r.t, p.backend.Close())
	}
}

// stop ends a process as a host does.
func (p *process) stop(ctx context.Context) {
	require.NoError(p.r.t, p.Close(ctx))
	require.NoError(p.r.t, <-p.ended)
	p.die()
	<-p.besideIs
}
