package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/internal/attach"
)

// Config is how a [Sender] observes and sends. The observer's Name is by default
// "webhooks".
type Config struct {
	notify.Observer
	// Network says what may be called; by default only https, on port 443 of
	// public addresses.
	Network Network
	// Data makes the payload's data from an event, to be written as JSON: for
	// example less than the event has, or a name for its state. Default: the
	// event's own data. It is used by many goroutines at once. After an error
	// the event comes again.
	Data func(e notify.Event[any]) (any, error)
	// Labels names the labels that are sent; default none.
	Labels []string
	// MaxBytes is how large a payload may be, at least 16 KiB; default 64 KiB. A
	// larger one is sent without its data, and says so by "truncated":true.
	MaxBytes int
	// Schedule are the pauses after an attempt that failed, each made longer by up
	// to a fifth at random; an event that fails once more is given up. Default:
	// that of Standard Webhooks 1.0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h
	// and 24 h.
	Schedule []time.Duration
	// MaxRetryAfter bounds the pause that an endpoint may ask for by
	// Retry-After; default 24 h.
	MaxRetryAfter time.Duration
	// DisableAfter is after how long without a success an attempt that fails
	// disables the endpoint; default 5 days. Negative is never.
	DisableAfter time.Duration
	// CallTimeout is how long a call may take, from looking up the name to the end
	// of the answer; default 20 s.
	CallTimeout time.Duration
	// SlowAfter is how long a call may take before its endpoint counts as slow;
	// default 5 s.
	SlowAfter time.Duration
	// Calls is how many calls there may be at once in this process in each [Lane];
	// default 256.
	Calls int
	// Poll is how often the store is asked for work that other processes added;
	// default 5 s. What this process adds is taken at once.
	Poll time.Duration
	// Logger gets what no caller and no event tells; default [slog.Default]. It
	// never gets a URL, a secret or a payload.
	Logger *slog.Logger
}

// leaseMargin is how much longer than a call a lease lasts.
const leaseMargin = 30 * time.Second

// Sender is an observer that sends events to the endpoints of a [Store]. Its
// methods are safe for concurrent use.
type Sender struct {
	config   Config
	store    Store
	network  *network
	client   *client
	notifier atomic.Pointer[notify.Notifier]
	wakes    [2]chan struct{}
	random   func() float64
}

var _ notify.Worker = (*Sender)(nil)

// New returns a sender for [notify.Notifier.Attach], of one Notifier. Options
// change its [Config]. Two senders of one Notifier need two names, and two
// stores.
func New(store Store, options ...func(*Config)) *Sender {
	s := &Sender{store: store, random: randomFloat}
	s.config = Config{
		Data: eventData, MaxBytes: 64 << 10, Schedule: defaultSchedule(),
		MaxRetryAfter: 24 * time.Hour, DisableAfter: 5 * 24 * time.Hour,
		CallTimeout: 20 * time.Second, SlowAfter: 5 * time.Second, Calls: 256, Poll: 5 * time.Second,
	}
	s.config.Name = "webhooks"
	s.config.Emits = []any{EndpointDisabled{}}
	for _, option := range options {
		option(&s.config)
	}
	if s.config.Logger == nil {
		s.config.Logger = slog.Default()
	}
	s.network = newNetwork(s.config.Network)
	s.client = newClient(s.network, s.config.CallTimeout)
	for lane := range s.wakes {
		s.wakes[lane] = make(chan struct{}, 1)
	}
	return s
}

// check finds every problem of the Config.
func (s *Sender) check() (found attach.Problems) {
	add := func(ok bool, field, problem string) { found.When(!ok, field, problem) }
	c := &s.config
	add(!attach.IsNil(s.store), "webhook.New", "the store is nil; webhook.NewMemory() will do for a single process")
	add(c.Data != nil, "webhook.Config.Data", "must not be nil; leave it as it is for the event's own data")
	add(c.MaxBytes >= minMaxBytes && c.MaxBytes <= 1<<20, "webhook.Config.MaxBytes", "must be from 16 KiB to 1 MiB; the default is 64 KiB")
	for i, pause := range c.Schedule {
		add(pause > 0 && pause <= 7*24*time.Hour, fmt.Sprintf("webhook.Config.Schedule[%d]", i), "must be more than 0, and at most 7 days")
	}
	add(!slices.Contains(c.Network.Ports, 0), "webhook.Config.Network.Ports", "must not have the port 0")
	add(len(c.Schedule) <= 100, "webhook.Config.Schedule", "must have at most 100 pauses")
	for _, d := range []struct {
		name  string
		value time.Duration
		most  time.Duration
	}{
		{"MaxRetryAfter", c.MaxRetryAfter, 7 * 24 * time.Hour},
		{"CallTimeout", c.CallTimeout, 5 * time.Minute},
		{"SlowAfter", c.SlowAfter, 5 * time.Minute},
		{"Poll", c.Poll, time.Hour},
	} {
		add(d.value > 0 && d.value <= d.most, "webhook.Config."+d.name, "must be more than 0, and at most "+d.most.String())
	}
	add(c.DisableAfter != 0, "webhook.Config.DisableAfter", "must be positive, or negative for never")
	add(c.Calls > 0 && c.Calls <= 10_000, "webhook.Config.Calls", "must be from 1 to 10000; the default is 256")
	return found
}

// Attach implements [notify.Attacher].
func (s *Sender) Attach(n *notify.Notifier) error {
	found := s.check()
	o := attach.Observer(s.config.Observer, notify.Observer{
		Name: "webhooks", Handlers: []notify.Handler{notify.Handle(s.add)},
	})
	if err := found.Err(); err != nil {
		return err
	}
	if !s.notifier.CompareAndSwap(nil, n) {
		return &notify.FieldError{Field: "webhook.New", Problem: "makes a sender for one Notifier, and this one is attached already"}
	}
	register(n)
	n.Observe(o)
	return nil
}

// add has an event wait for the endpoints that want it.
func (s *Sender) add(ctx context.Context, e notify.Event[any]) error {
	if e.NotificationID == "" {
		return nil
	}
	m, err := s.config.message(e, time.Now())
	if err != nil {
		return err
	}
	endpoints, err := s.store.Add(ctx, m)
	if endpoints > 0 || err != nil { // it may be stored all the same
		s.wake()
	}
	return err
}

// wake has both lanes look for work.
func (s *Sender) wake() {
	s.wakeLane(Fast)
	s.wakeLane(Slow)
}

func (s *Sender) wakeLane(lane Lane) {
	select {
	case s.wakes[lane] <- struct{}{}:
	default:
	}
}
