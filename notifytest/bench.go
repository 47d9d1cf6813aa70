package notifytest

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Bench is a [notify.Notifier] under test, with a record of its events. Its
// methods are for the test's own goroutine; they fail the test at once.
type Bench struct {
	// Notifier is not running yet when the test gets it: register providers
	// and observers, then send, or call Start.
	Notifier *notify.Notifier
	// Patience bounds how long Settle and Until wait: 40 days in virtual time,
	// else 1 min.
	Patience time.Duration

	t        testing.TB
	virtual  bool
	recorder *recorder
	log      *logBuffer
	ran      chan error // nil before Start
	stop     context.CancelFunc
	closed   bool
}

// Run runs the function with a [Bench] inside a bubble of testing/synctest:
// time passes when all goroutines wait, and at once. By default the Notifier
// is in memory; options change its Config. At the end it is closed, which must
// not fail. Its log is printed if the test fails.
//
// Make everything that has channels, timers or goroutines, such as a backend,
// in the function or the options: time does not pass while somebody waits for
// what was made outside. A file or a socket has no place in a bubble; see
// [Open].
func Run(t *testing.T, f func(t *testing.T, b *Bench), options ...func(*notify.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := Open(t, options...)
		b.virtual, b.Patience = true, 40*24*time.Hour
		f(t, b)
		b.Close()
	})
}

// Open returns a [Bench] that t.Cleanup closes: for a test in real time, or for
// one more Notifier inside Run.
func Open(t testing.TB, options ...func(*notify.Config)) *Bench {
	t.Helper()
	b := &Bench{t: t, Patience: time.Minute, recorder: newRecorder(), log: &logBuffer{}}
	config := notify.Config{Logger: slog.New(slog.NewTextHandler(b.log, nil))}
	for _, option := range options {
		option(&config)
	}
	n, err := notify.New(config)
	if err != nil {
		t.Fatalf("notify.New: %v", err)
	}
	b.Notifier = n
	notify.On(n, "notifytest", b.recorder.observe, func(o *notify.Observer) { o.Concurrency = 1 })
	t.Cleanup(b.Close)
	return b
}

// Start runs the Notifier, and returns when it is ready. A second call does
// nothing.
func (b *Bench) Start() {
	b.t.Helper()
	if b.ran != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- b.Notifier.Run(ctx) }()
	b.stop, b.ran = stop, ran
	ready, cancel := b.patience()
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- b.Notifier.Ready(ready) }()
	select {
	case err := <-failed:
		if err != nil {
			b.t.Fatalf("Ready: %v", err)
		}
	case err := <-ran:
		cancel()
		<-failed
		ran <- err
		b.t.Fatalf("Run: %v", err)
	}
}

// Close closes the Notifier, which must not fail. A second call does nothing.
func (b *Bench) Close() {
	b.t.Helper()
	if b.closed {
		return
	}
	b.closed = true
	err := b.Notifier.Close(context.Background())
	if b.ran != nil {
		b.stop()
		<-b.ran // Close tells its error
	}
	if err != nil {
		b.t.Errorf("Close: %v", err)
	}
	for _, problem := range b.recorder.problems() {
		b.t.Error(problem)
	}
	if b.t.Failed() {
		b.t.Logf("log:\n%s", b.log)
	}
}

func (b *Bench) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), b.Patience)
}

// Send starts the Notifier, if it does not run yet, sends the notification, and
// returns its ID.
func (b *Bench) Send(nt notify.Notification) string {
	b.t.Helper()
	b.Start()
	ctx, cancel := b.patience()
	defer cancel()
	id, err := b.Notifier.Send(ctx, nt)
	if err != nil {
		b.t.Fatalf("Send: %v", err)
	}
	return id
}

// Settle waits until the notifications have settled and the events so far were
// seen. The Notifier has to run the observers ([notify.Roles]).
func (b *Bench) Settle(ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		b.Until(id, notify.Settled{})
	}
	b.Rest()
}

// Until waits until an event of the notification that matches the pattern (see
// [Expectation]) was seen.
func (b *Bench) Until(id string, pattern any) {
	b.t.Helper()
	wanted := patternOf(pattern)
	if wanted.wrong != "" {
		b.t.Fatalf("Until: %s", wanted.wrong)
	}
	ctx, cancel := b.patience()
	defer cancel()
	for {
		events, changed := b.recorder.all(id)
		if wanted.count(events) > 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			b.t.Fatalf("no event of %s matched %s within %s; there were:\n%s", id, wanted.name, b.Patience, timeline(events))
		}
	}
}

// Rest waits until nothing can happen any more before time passes. In real
// time it does nothing.
func (b *Bench) Rest() {
	if b.virtual {
		synctest.Wait()
	}
}

// Pass lets time pass, then waits as Rest does.
func (b *Bench) Pass(d time.Duration) {
	time.Sleep(d)
	b.Rest()
}

// Events are the events so far of the notification, in their order; of an
// empty ID, of all notifications and about the machinery.
func (b *Bench) Events(id string) []notify.Event[any] {
	events, _ := b.recorder.all(id)
	return events
}

// Require fails the test unless the events of the notification so far meet all
// expectations. With an empty ID it looks at all events, as Events does.
func (b *Bench) Require(id string, expectations ...Expectation) {
	b.t.Helper()
	events := b.Events(id)
	failed := false
	for _, expected := range expectations {
		if problem := expected.problem(events); problem != "" {
			failed = true
			b.t.Errorf("notification %s: %s", id, problem)
		}
	}
	if failed {
		b.t.Fatalf("the events were:\n%s", timeline(events))
	}
}

// logBuffer keeps the log until it is known whether anybody wants it.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
