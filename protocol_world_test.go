package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/presence"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// scenario is a notification's life: what is sent, what the services do, and
// what the host does meanwhile.
type scenario struct {
	name     string
	route    Route
	services func() []*service
	// keyed sends it with an idempotency key, notBefore after a while.
	keyed     bool
	notBefore time.Duration
	// expires is how long it may be sent; 0 is a day. guarded has a guard hold
	// it for a while, and then refuse every attempt that is not its leg's first.
	expires time.Duration
	guarded bool
	// broken has the guard fail whenever it is asked, and busyGuard has it hold
	// the notification for longer than anybody waits.
	broken, busyGuard bool
	// limits are those of the phases. absent names, by process, a channel that it
	// does not deliver.
	limits phaseLimits
	absent map[string]Channel
	// cancel is when the host cancels it; 0 is never.
	cancel time.Duration
	// canceledFirst cancels it, by the ID that its idempotency key gives it,
	// before it is sent.
	canceledFirst bool
	// resends says that a service of it may be used again in doubt.
	resends bool
	// awaits says that a leg may wait for a report that does not come, or that
	// was parked: the sweep ends that.
	awaits bool
	// noSweep lets the sweep find nothing.
	noSweep bool
	// impatient is a host that does not ask the other process when the victim
	// does not answer.
	impatient bool
	// reports has the services report on everything after all is over.
	reports bool
}

// world is one run of a scenario: two processes, a backend that both share,
// and the services. Victim is struck by its fate, and other takes over.
type world struct {
	scenario scenario
	variant  variant
	shared   *memory.Backend
	roll     presence.Set // whose Notifiers are in processes that live
	codec    *codec
	services *services
	offered  []*service
	victim   *process
	other    *process
	n        map[*process]*Notifier
	hosts    sync.WaitGroup // what the host does
	over     chan struct{}  // closed at the end: nothing has an effect any more
	began    time.Time

	mu         sync.Mutex // guards the following
	versions   map[string]*record
	raised     map[string]string   // the events that records say were raised, encoded, by ID
	facts      map[string]string   // their IDs, by the rest of them
	published  map[string]string   // the events that reached their topic
	order      map[string][]string // their IDs, by notification, each at its first time
	seen       map[*process][]Event[any]
	accepted   []string             // IDs that Send returned
	answers    map[string]time.Time // when Cancel first answered canceled
	canceled   map[string]bool      // the IDs that Cancel did not find too late
	reported   []Report             // those that Report took, with their attempts' keys
	violations []string

	traceMu sync.Mutex
	lines   []string
}

func (w *world) trace(format string, args ...any) {
	w.traceMu.Lock()
	defer w.traceMu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%8s ", time.Since(w.began))+fmt.Sprintf(format, args...))
}

// violated notes that an invariant does not hold. mu is held.
func (w *world) violated(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.trace("VIOLATION: %s", text)
	w.violations = append(w.violations, text)
}

// outcome is what came of a run.
type outcome struct {
	moves      []string // of the victim
	struck     string   // the move at which its fate befell it, if it did
	violations []string
	trace      string
}

// run plays the scenario with the victim's fate, and without some rules.
func (s scenario) run(t *testing.T, v variant, f fate, without rule) (out outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(s, v, f)
		for _, p := range []*process{w.victim, w.other} {
			if err := w.begin(p, without); err != nil {
				t.Fatal(err)
			}
		}
		var running sync.WaitGroup
		ctx, stop := context.WithCancel(context.Background())
		for _, n := range w.n {
			running.Go(func() { _ = n.Run(ctx) })
			if err := n.Ready(ctx); err != nil {
				t.Fatal(err)
			}
			if s.limits != nil { // now, since they are shorter than they may be
				n.decider.limits.Store(&s.limits)
			}
		}
		synctest.Wait()
		w.victim.arm()
		w.play(f)
		synctest.Wait()
		w.checkEnd()
		close(w.over)
		stop()
		w.hosts.Wait()
		running.Wait()
		if err := w.shared.Close(); err != nil {
			t.Fatal(err)
		}
		out = outcome{moves: w.victim.moves, struck: w.victim.hit, violations: w.violations, trace: strings.Join(w.lines, "\n")}
	})
	return out
}

func newWorld(s scenario, v variant, f fate) *world {
	w := &world{
		scenario: s, offered: s.services(), variant: v, shared: memory.New(), codec: newCodec("test"),
		n: map[*process]*Notifier{}, over: make(chan struct{}), began: time.Now(),
		versions: map[string]*record{}, raised: map[string]string{}, facts: map[string]string{}, published: map[string]string{},
		order: map[string][]string{}, seen: map[*process][]Event[any]{}, answers: map[string]time.Time{},
		canceled: map[string]bool{},
	}
	w.services = &services{world: w, answered: map[string]bool{}}
	w.victim = w.process("victim")
	w.victim.fate = f
	w.other = w.process("other")
	if f.then != nil {
		w.other.fate = *f.then
		w.other.arm()
	}
	atOnce := make(chan struct{})
	close(atOnce)
	w.victim.standsBy, w.other.standsBy = atOnce, w.victim.struck
	return w
}

func (w *world) process(name string) *process {
	p := &process{name: name, world: w, struck: make(chan struct{}), thawed: make(chan struct{})}
	p.publisher, _ = w.shared.Publisher()
	return p
}

// begin makes the process's Notifier.
func (w *world) begin(p *process, without rule) error {
	config := Config{
		Backend: w.variant.wrap(p), KeepBackend: true, AddressKey: []byte("0123456789abcdef"), Source: "test",
		Logger: slog.New(slog.DiscardHandler), DrainTimeout: time.Second,
	}
	services := w.offered
	if absent := w.scenario.absent[p.name]; absent != "" {
		services = slices.DeleteFunc(slices.Clone(services), func(s *service) bool { return s.channel == absent })
		config.Roles = allRoles()
		config.Roles.Elsewhere = []Channel{absent}
	}
	n, err := New(config)
	if err != nil {
		return err
	}
	n.decider.without = without
	for _, s := range services {
		s.use(n, p)
	}
	if w.scenario.guarded {
		until := w.began.Add(20 * time.Second)
		n.Guard("quiet-hours", func(_ context.Context, req GuardRequest) (Decision, error) {
			switch {
			case req.Channel != "":
				return Suppress("enough"), nil
			case req.Now.Before(until):
				return DelayUntil(until, "quiet"), nil
			default:
				return Allow(), nil
			}
		})
	}
	if w.scenario.broken || w.scenario.busyGuard {
		n.Guard("trouble", func(_ context.Context, req GuardRequest) (Decision, error) {
			if w.scenario.broken {
				return Allow(), errFailed
			}
			return DelayUntil(req.Now.Add(time.Hour), "quiet"), nil
		})
	}
	On(n, "everything", func(_ context.Context, e Event[any]) error {
		if err := p.alive(); err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen[p] = append(w.seen[p], e)
		return nil
	})
	w.n[p] = n
	return nil
}

// patience is how long the host waits for a process before it tries the other.
const patience = 5 * time.Second

// asHost does something as a host does that knows both processes: it asks the
// victim, and if that does not answer, the other.
func (w *world) asHost(what string, do func(n *Notifier) error) {
	answers := make(chan error, 1)
	w.hosts.Go(func() { answers <- do(w.n[w.victim]) })
	select {
	case err := <-answers:
		if err == nil {
			return
		}
		w.trace("the host could not %s: %v", what, err)
	case <-time.After(patience):
		w.trace("the host gets no answer to: %s", what)
	}
	if w.scenario.impatient {
		return
	}
	for range 30 {
		err := do(w.n[w.other])
		if err == nil || errors.Is(err, ErrClosed) {
			return
		}
		w.trace("the host could not %s: %v", what, err)
		time.Sleep(patience)
	}
}

// play is the host's part.
func (w *world) play(f fate) {
	nt := Notification{
		To: Recipient{ID: "u1", Addresses: map[Channel]string{
			EmailChannel: "u1@example.com", SMSChannel: "+49301234567", PushChannel: "token", ChatChannel: "room",
		}},
		Content: Content{Title: "Shipped", Body: "It is on its way."}, Route: w.scenario.route,
	}
	if w.scenario.keyed {
		nt.Key = "order-1"
	}
	if w.scenario.notBefore > 0 {
		nt.NotBefore = time.Now().Add(w.scenario.notBefore)
	}
	if w.scenario.expires > 0 {
		nt.ExpiresAt = time.Now().Add(w.scenario.expires)
	}
	if w.scenario.canceledFirst {
		w.asHost("cancel", func(n *Notifier) error { return w.cancelID(n, keyedID("", nt.Key)) })
	}
	w.asHost("send", func(n *Notifier) error {
		id, err := n.Send(context.Background(), nt)
		if err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.trace("Send returned %s", id)
		w.accepted = append(w.accepted, id)
		return nil
	})
	if w.scenario.cancel > 0 {
		time.Sleep(w.scenario.cancel)
		w.asHost("cancel", w.cancel)
	}
	w.await()
	time.Sleep(f.freeze + 2*time.Minute)
	if w.scenario.reports {
		w.reportAfterwards()
		time.Sleep(2 * time.Minute)
	}
	if w.leftParked() {
		time.Sleep(parkedRecheck)
	}
}

// leftParked tells whether a report waits for the sweep, because the victim was
// struck when it was about to apply it.
func (w *world) leftParked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.reported, w.isParkedLate)
}

func (w *world) cancel(n *Notifier) error {
	w.mu.Lock()
	id := w.accepted[0]
	w.mu.Unlock()
	return w.cancelID(n, id)
}

func (w *world) cancelID(n *Notifier, id string) error {
	answer, err := n.Cancel(context.Background(), id)
	w.trace("Cancel answered %q, %v", answer, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(err, ErrTooLate) {
		if r := w.versions[id]; r == nil || !r.settled() {
			w.violated("19: a cancel of %s came too late, and it has not settled", id)
		}
		return nil
	}
	if err != nil {
		return err
	}
	w.canceled[id] = true
	if answer == CancelDone && w.answers[id].IsZero() {
		w.answers[id] = time.Now()
	}
	return nil
}

// await waits until what was accepted has settled.
func (w *world) await() {
	w.mu.Lock()
	ids := slices.Clone(w.accepted)
	w.mu.Unlock()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Minute)
	defer stop()
	for _, id := range ids {
		if status, err := w.n[w.other].Wait(ctx, id); err != nil {
			w.mu.Lock()
			w.violated("6: %s does not settle: it is %q, %v", id, status.State, err)
			w.mu.Unlock()
		}
	}
}

// reportLater is a service's word on a message that had its effect.
func (w *world) reportLater(service *service, key string, l laterReport) {
	select {
	case <-time.After(l.after):
	case <-w.over:
		return
	}
	rep := Report{Provider: service.name, MessageID: messageID(key), Event: l.event, At: time.Now()}
	if l.byKey {
		rep.Key, rep.Provider, rep.MessageID = key, "", ""
	}
	w.asHost(fmt.Sprintf("report %T", l.event), func(n *Notifier) error {
		if err := n.Report(context.Background(), rep); err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		taken := rep
		taken.Key = key
		w.reported = append(w.reported, taken)
		return nil
	})
}

// reportAfterwards reports on everything that had its effect, long after.
func (w *world) reportAfterwards() {
	w.services.mu.Lock()
	calls := slices.Clone(w.services.calls)
	w.services.mu.Unlock()
	for _, c := range calls {
		if !c.effect {
			continue
		}
		for _, event := range []any{
			Delivered{}, Undelivered{Class: ClassAddress}, Bounced{Class: ClassAddress}, Opened{},
		} {
			w.reportLater(c.service, c.key, laterReport{after: time.Second, byKey: true, event: event})
		}
	}
}

// publish lets messages reach a topic, and notes the events among them.
func (w *world) publish(topic string, messages []*message.Message, effect func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := effect()
	if err == nil {
		w.reached(topic, messages...)
	}
	return err
}

// reached notes that messages are in their topic. mu is held.
func (w *world) reached(topic string, messages ...*message.Message) {
	if topic != eventsTopic {
		return
	}
	for _, m := range messages {
		wire, err := backend.Wire(m)
		if err != nil {
			w.violated("5: an event cannot be encoded: %v", err)
			continue
		}
		id := wire.Metadata["ce_id"]
		content := contentOf(wire)
		if known, ok := w.published[id]; ok && known != content {
			w.violated("5: two contents were published for %s:\n%s\n%s", id, known, content)
		} else if !ok {
			w.published[id] = content
			notification := backend.Key(wire)
			w.order[notification] = append(w.order[notification], id)
			w.trace("the topic has %s %s", id, wire.Payload)
		}
	}
}

// contentOf is all of a message but what Watermill adds.
func contentOf(m *message.Message) string {
	var lines []string
	for k, v := range m.Metadata {
		lines = append(lines, k+"="+v)
	}
	sort.Strings(lines)
	return strings.Join(lines, " ") + " " + string(m.Payload)
}

// stale is the change in a write that comes too late to have an effect.
const stale = "stale"

// changeIn tells what a write of a record is about: by the first event that it
// raises, "mark" if it raises none and puts out no work either.
func (w *world) changeIn(r backend.Record) string {
	if strings.HasPrefix(r.ID, parkedPrefix) {
		return "parked"
	}
	next, err := recordOf(r, w.codec)
	if err != nil {
		return "unreadable"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.versions[r.ID]
	current, _ := w.shared.Load(context.Background(), r.ID)
	switch {
	case current.Revision != r.Revision:
		return stale
	case before == nil && next.isTombstone():
		return "tombstone"
	case before == nil:
		before = &record{}
	}
	change := "mark"
	for _, e := range next.Outbox {
		switch {
		case e.seq <= before.Seq:
		case e.event != nil:
			return shortName(e.event.kind.name)
		default:
			change = "work"
		}
	}
	return change
}

func (w *world) store(ctx context.Context, r backend.Record) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := r
	if w.variant.bytes {
		data, err := r.Body.AppendBinary(nil)
		if err != nil {
			return 0, err
		}
		kept.Body = backend.Bytes(data)
	}
	revision, err := w.shared.Store(ctx, kept)
	if err == nil {
		w.stored(r)
	}
	return revision, err
}

func (w *world) commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	revision, err := w.shared.Commit(ctx, r, out)
	if err != nil {
		return revision, err
	}
	for _, p := range out {
		w.reached(p.Topic, backend.MessageOf(p.Entry()))
	}
	w.stored(r)
	return revision, nil
}
