package main

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/seed-6c01d079/notify"
)

// child is the program that is killed: a host of a Notifier, which does what
// the parent asks for.
type child struct {
	orders Orders
	client *rpc.Client
	points *points
	n      *notify.Notifier
}

// The observers.
const (
	everything = "everything"
	shaky      = "shaky"    // fails now and then
	picky      = "picky"    // refuses some events, which become dead letters
	settling   = "settling" // sees Settled and Unknown only
)

var observers = []string{everything, shaky, picky, settling}

// runChild runs until the parent ends it: by SIGTERM, if it is to close.
func runChild(o Orders) error {
	client, err := rpc.Dial("unix", o.Socket)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	ending := make(chan struct{})
	defer close(ending)
	go func() {
		_ = client.Call("Parent.Stay", struct{}{}, &struct{}{})
		select {
		case <-ending:
		default:
			os.Exit(3) // the parent is gone
		}
	}()
	c := &child{orders: o, client: client, points: &points{fate: o.Fate, grave: os.NewFile(3, "grave")}}
	c.points.armed.Store(o.Settle == 0)
	opened, err := open(o, client, c.points)
	if err != nil {
		return fmt.Errorf("open the backend: %w", err)
	}
	defer func() { _ = opened.close() }()
	c.n, err = notify.New(notify.Config{
		Backend: opened.backend, Records: opened.records, Source: "crash",
		AddressKey: opened.addressKey, Logger: logger(c.points),
	})
	if err != nil {
		return errors.Join(err, opened.backend.Close())
	}
	for _, s := range services {
		c.use(s)
	}
	c.observe()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- c.n.Run(ctx) }()
	if err := c.n.Ready(ctx); err != nil {
		if ctx.Err() != nil { // it is to close before it began
			err := c.n.Close(context.Background())
			if ran := <-ended; !errors.Is(ran, notify.ErrClosed) { // else it was closed before it ran
				err = errors.Join(err, ran)
			}
			return err
		}
		return errors.Join(err, c.n.Close(context.Background()))
	}
	select {
	case <-time.After(o.Settle):
	case <-ctx.Done():
	}
	c.points.armed.Store(true)
	if err := client.Call("Parent.Ready", o.Life, &struct{}{}); err != nil {
		return err
	}
	var hosts sync.WaitGroup
	for range o.Workers {
		hosts.Go(func() { c.host(ctx) })
	}
	err = <-ended
	hosts.Wait()
	return err
}

func (c *child) use(s Service) {
	rename := renaming(c.orders.Without)
	switch s.Channel {
	case notify.EmailChannel:
		use(c.n, caller[notify.Email]{s, c.orders.Life, c.client, c.points, rename})
	case notify.SMSChannel:
		use(c.n, caller[notify.SMS]{s, c.orders.Life, c.client, c.points, rename})
	case notify.PushChannel:
		use(c.n, caller[notify.Push]{s, c.orders.Life, c.client, c.points, rename})
	default:
		use(c.n, caller[notify.Chat]{s, c.orders.Life, c.client, c.points, rename})
	}
}

func (c *child) observe() {
	retry := func(o *notify.Observer) {
		o.Retry.Backoff = func(int) time.Duration { return 20 * time.Millisecond }
	}
	for _, name := range []string{everything, shaky, picky} {
		notify.On(c.n, name, func(ctx context.Context, e notify.Event[any]) error {
			return c.saw(ctx, name, e.Envelope, e.Data)
		}, retry)
	}
	c.n.Observe(notify.Observer{Name: settling, Handlers: []notify.Handler{
		notify.Handle(func(ctx context.Context, e notify.Event[notify.Settled]) error {
			return c.saw(ctx, settling, e.Envelope, e.Data)
		}),
		notify.Handle(func(ctx context.Context, e notify.Event[notify.Unknown]) error {
			return c.saw(ctx, settling, e.Envelope, e.Data)
		}),
	}})
}

// saw tells the parent of an event, and does as it says.
func (c *child) saw(ctx context.Context, observer string, e notify.Envelope, data any) error {
	seen := Seen{
		Life: c.orders.Life, Observer: observer, Event: e.ID, Type: e.Type, Notification: e.NotificationID,
		Category: e.Category, Time: e.Time, Digest: digest(data),
	}
	if of, ok := data.(interface{ AttemptRef() notify.Attempt }); ok {
		seen.Leg, seen.Attempt = of.AttemptRef().Leg.Leg, of.AttemptRef().Attempt
	}
	var reaction Reaction
	err := c.points.at("observe "+observer, func() error { return ask(ctx, c.client, "Parent.Saw", seen, &reaction) })
	switch {
	case err != nil:
		return err
	case reaction == Fails:
		return errors.New("not now")
	case reaction == Refuses:
		return notify.Permanent(errors.New("not this one"))
	}
	return nil
}

// host does the parent's tasks, one after the other.
func (c *child) host(ctx context.Context) {
	for ctx.Err() == nil {
		var t Task
		if err := ask(ctx, c.client, "Parent.Next", c.orders.Life, &t); err != nil {
			return
		}
		r, err := c.do(ctx, t)
		if err != nil {
			r.Err = err.Error()
		}
		r.Life, r.Number = c.orders.Life, t.Number
		if err := c.client.Call("Parent.Done", r, &struct{}{}); err != nil {
			return
		}
	}
}

func (c *child) do(ctx context.Context, t Task) (r Result, err error) {
	if t.Kind != TaskFollow {
		err = c.points.at(string(t.Kind), func() error {
			r, err = c.act(ctx, t)
			return err
		})
		return r, err
	}
	status, err := c.n.Status(ctx, t.ID)
	if err != nil {
		return r, err
	}
	if status.Settled {
		r.State = string(status.State)
		for e, err := range c.n.Watch(ctx, t.ID) {
			if err != nil {
				return r, err
			}
			r.Events = append(r.Events, e.ID)
		}
	}
	return r, nil
}

func (c *child) act(ctx context.Context, t Task) (r Result, err error) {
	switch t.Kind {
	case TaskSend:
		r.ID, err = c.n.Send(ctx, t.Spec.notification())
	case TaskCancel:
		var answer notify.Cancellation
		answer, err = c.n.Cancel(ctx, t.ID)
		r.Answer = string(answer)
		if errors.Is(err, notify.ErrTooLate) {
			err = nil
		}
	case TaskReport:
		err = c.n.Report(ctx, t.Report.report())
		if errors.Is(err, notify.ErrNotFound) {
			r.Answer, err = "not found", nil
		}
	case TaskRedrive:
		_, err = c.n.Redrive(ctx, picky)
	}
	return r, err
}

// notification is what the spec asks for.
func (s Spec) notification() notify.Notification {
	addresses := map[notify.Channel]string{
		notify.EmailChannel: fmt.Sprintf("n%d@example.com", s.N), notify.SMSChannel: "+49301234567",
		notify.PushChannel: "token", notify.ChatChannel: "room",
	}
	return notify.Notification{
		To:       notify.Recipient{ID: s.category(), Addresses: addresses},
		Content:  notify.Content{Title: "Shipped", Body: "It is on its way."},
		Route:    s.route(),
		Key:      s.Key,
		Category: s.category(), NotBefore: s.NotBefore, Urgent: s.Urgent,
	}
}

// report is the word as the host passes it on.
func (w Word) report() notify.Report {
	r := notify.Report{At: w.At, EventID: w.Key + " " + w.Event}
	if w.Service != "" {
		r.Provider, r.MessageID = w.Service, w.MessageID
	} else {
		r.Key = w.Key
	}
	switch w.Event {
	case "bounced":
		r.Event = notify.Bounced{Class: notify.ClassAddress}
	case "opened":
		r.Event = notify.Opened{}
	default:
		r.Event = notify.Delivered{}
	}
	return r
}
