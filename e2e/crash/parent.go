package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify"
)

// parent gives the children their work and keeps the ledger. Its methods that
// children call are those of desk.
type parent struct {
	script   script
	ledger   *Ledger
	broker   *brokers // what outlives the children, if the backend lives here
	listener net.Listener
	serving  sync.WaitGroup
	done     context.Context
	stop     context.CancelFunc

	mu       sync.Mutex // guards the following
	wake     chan struct{}
	tasks    []task
	last     int // number of the last task
	underWay map[int]taken
	gone     map[int]bool // the lives that have ended
	specs    int          // notifications that were made up
	quota    int          // how many more may be
	progress time.Time
}

// task is a Task with the time before which it is not given.
type task struct {
	Task
	at time.Time
}

// taken is a task that a life has.
type taken struct {
	task
	life int
}

func newParent(seed uint64, socket string) (*parent, error) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	p := &parent{
		script: script{seed}, ledger: newLedger(), broker: newBrokers(), listener: listener, wake: make(chan struct{}),
		underWay: map[int]taken{}, gone: map[int]bool{}, progress: time.Now(),
	}
	p.done, p.stop = context.WithCancel(context.Background())
	p.serving.Go(p.serve)
	return p, nil
}

func (p *parent) close() {
	p.stop()
	_ = p.listener.Close()
	p.serving.Wait()
	_ = p.broker.Close()
}

// serve answers the children, each on its connection.
func (p *parent) serve() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() {
			ctx, gone := context.WithCancel(p.done)
			defer gone()
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer stop()
			server := rpc.NewServer()
			_ = server.RegisterName("Parent", &desk{p: p, gone: ctx})
			server.ServeConn(&watched{conn, gone})
		})
	}
}

// watched is a connection that tells when the other side is gone: the server
// waits for its calls then, and these have to learn of it.
type watched struct {
	net.Conn
	gone context.CancelFunc
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil {
		w.gone()
	}
	return n, err
}

// changed wakes those who wait for a task. mu is held.
func (p *parent) changed() {
	close(p.wake)
	p.wake = make(chan struct{})
}

// add has a task done, not before at.
func (p *parent) add(t Task, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addLocked(t, at)
}

func (p *parent) addLocked(t Task, at time.Time) {
	p.last++
	t.Number = p.last
	p.tasks = append(p.tasks, task{t, at})
	p.changed()
}

// died takes back what a child had not answered, when it is gone. A send
// without an idempotency key is not made again: nobody knows whether it was
// accepted.
func (p *parent) died(life int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone[life] = true
	for number, t := range p.underWay {
		if t.life != life {
			continue
		}
		delete(p.underWay, number)
		if t.Kind != TaskSend || t.Spec.Key != "" {
			p.tasks = append(p.tasks, t.task)
		}
	}
	p.changed()
}

// desk is the parent as one child sees it.
type desk struct {
	p    *parent
	gone context.Context // ends with the connection
}

// Stay returns when the parent is gone.
func (d *desk) Stay(struct{}, *struct{}) error {
	<-d.gone.Done()
	return nil
}

// Ready is told that the child's Notifier runs.
func (d *desk) Ready(life int, _ *struct{}) error {
	d.p.ledger.mu.Lock()
	defer d.p.ledger.mu.Unlock()
	l := d.p.ledger.life(life)
	l.Ready = time.Now()
	close(l.ready)
	return nil
}

// Next gives the child its next task, once there is one.
func (d *desk) Next(life int, out *Task) error {
	p := d.p
	for {
		p.mu.Lock()
		t, at := p.takeLocked(life)
		wake := p.wake
		p.mu.Unlock()
		if t != nil {
			*out = *t
			return nil
		}
		timer := time.NewTimer(time.Until(at))
		select {
		case <-wake:
		case <-timer.C:
		case <-d.gone.Done():
			timer.Stop()
			return errors.New("the child is gone")
		}
		timer.Stop()
	}
}

// takeLocked takes the first task that is due, or makes up a notification; or it
// returns when to look again.
func (p *parent) takeLocked(life int) (*Task, time.Time) {
	now, next := time.Now(), time.Now().Add(time.Hour)
	if p.gone[life] {
		return nil, next
	}
	for i, t := range p.tasks {
		if t.at.After(now) {
			if t.at.Before(next) {
				next = t.at
			}
			continue
		}
		p.tasks = slices.Delete(p.tasks, i, i+1)
		p.underWay[t.Number] = taken{t, life}
		return &t.Task, now
	}
	if p.quota == 0 {
		return nil, next
	}
	p.quota--
	p.specs++
	p.last++
	t := task{Task: Task{Number: p.last, Kind: TaskSend, Spec: p.script.spec(p.specs)}}
	p.underWay[t.Number] = taken{t, life}
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	p.ledger.Sends[p.specs] = &Sending{Spec: t.Spec}
	return &t.Task, now
}

// Done is told what came of a task.
func (d *desk) Done(r Result, _ *struct{}) error {
	p := d.p
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.underWay[r.Number]
	if !ok || t.life != r.Life {
		return nil // it was given to another
	}
	delete(p.underWay, r.Number)
	// What comes of dead letters that are redriven shows when they are seen.
	// And one that is followed has moved on only if there is more of it.
	if r.Err == "" && t.Kind != TaskRedrive && (t.Kind != TaskFollow || p.ledger.isNews(t.ID, r)) {
		p.progress = time.Now()
	}
	p.changed()
	if r.Err != "" {
		if t.Kind != TaskSend || t.Spec.Key != "" {
			t.at = time.Now().Add(50 * time.Millisecond)
			p.tasks = append(p.tasks, t.task)
		}
		return nil
	}
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	switch t.Kind {
	case TaskSend:
		s := p.ledger.Sends[t.Spec.N]
		s.IDs, s.Answered = append(s.IDs, r.ID), true
		if other, ok := p.ledger.Accepted[r.ID]; ok && other != t.Spec.N {
			p.ledger.Shared = append(p.ledger.Shared, fmt.Sprintf("the ID %s is that of n%d and n%d", r.ID, other, t.Spec.N))
		}
		p.ledger.Accepted[r.ID] = t.Spec.N
		if t.Spec.Cancel {
			wait := time.Duration(p.script.roll(30, "wait", t.Spec.N)) * time.Millisecond
			p.addLocked(Task{Kind: TaskCancel, ID: r.ID}, time.Now().Add(wait))
		}
	case TaskCancel:
		if _, known := p.ledger.Canceled[t.ID]; !known && r.Answer == string(notify.CancelDone) {
			p.ledger.Canceled[t.ID] = time.Now()
		}
	case TaskReport:
		how := "by message ID"
		if t.Report.Service == "" {
			how = "by key"
		}
		if p.ledger.Reported[t.Report.Key] == nil {
			p.ledger.Reported[t.Report.Key] = map[string]string{}
		}
		p.ledger.Reported[t.Report.Key][t.Report.Event] = how
		if r.Answer != "" {
			p.ledger.Reported[t.Report.Key][t.Report.Event] = r.Answer
		}
	case TaskFollow:
		p.ledger.Final[t.ID] = &End{State: r.State, Events: r.Events}
	}
	return nil
}

// Saw is told that an observer is given an event, and says what it does.
func (d *desk) Saw(e Seen, out *Reaction) error {
	p := d.p
	p.ledger.mu.Lock()
	if s := p.ledger.sight(e.Observer); s.Given[e.Event] == 0 {
		*out = p.script.reaction(e.Observer, e.Event)
	}
	p.ledger.saw(e, *out == Takes)
	p.ledger.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress = time.Now()
	return nil
}

// Call is a call of a provider's service.
func (d *desk) Call(args CallArgs, out *Answer) error {
	p := d.p
	fortune := p.script.fortune(stableKey(args), args.Number)
	service := serviceNamed(args.Service)
	c := &Call{CallArgs: args, Fortune: fortune, Began: time.Now()}
	c.Leg, c.Ordinal = legOf(args.Key)
	p.ledger.mu.Lock()
	name := serviceKey(args.Service, args.Key)
	if first := p.ledger.Took[name]; first != nil && service.Keyed {
		fortune.Verdict = "" // it knows the key, and answers as it would have
	} else if fortune.Effect {
		c.Effect = true
		p.ledger.Took[name] = c
	}
	c.Fortune = fortune
	p.ledger.Calls = append(p.ledger.Calls, c)
	p.ledger.mu.Unlock()
	if c.Effect {
		p.word(service, args)
	}
	if fortune.Pause > 0 {
		select {
		case <-time.After(fortune.Pause):
		case <-d.gone.Done():
			return errors.New("the child is gone")
		}
	}
	*out = Answer{Verdict: fortune.Verdict, MessageID: "m-" + args.Key}
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	if d.gone.Err() == nil {
		c.Ended = time.Now()
	}
	return nil
}

// Unheard is told of a call whose answer its caller gave up.
func (d *desk) Unheard(args CallArgs, _ *struct{}) error {
	d.p.ledger.mu.Lock()
	defer d.p.ledger.mu.Unlock()
	for _, c := range d.p.ledger.Calls {
		if c.CallArgs == args {
			c.Unheard = true
		}
	}
	return nil
}

// word has the host report what the service says later about a message.
func (p *parent) word(service Service, c CallArgs) {
	key := stableKey(c)
	for i, event := range p.script.words(service, key) {
		sent, _, _ := strings.Cut(c.Key, "#") // what a control added is not known to the host
		w := Word{Key: sent, Event: event, At: time.Now()}
		if !p.script.byKey(service, key) {
			w.Service, w.MessageID = c.Service, "m-"+c.Key
		}
		wait := time.Duration(p.script.roll(80, "word", key)+20*i) * time.Millisecond
		if w.MessageID != "" && p.script.roll(2, "early", key) == 0 {
			wait = 0 // before it is known to the record, perhaps
		}
		p.add(Task{Kind: TaskReport, Report: w}, time.Now().Add(wait))
	}
}

// Ask asks a service what became of an attempt.
func (d *desk) Ask(args CallArgs, took *bool) error {
	d.p.ledger.mu.Lock()
	defer d.p.ledger.mu.Unlock()
	*took = d.p.ledger.Took[serviceKey(args.Service, args.Key)] != nil
	return nil
}

// allow lets so many more notifications be sent.
func (p *parent) allow(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quota, p.progress = n, time.Now()
	p.changed()
}

// idle tells whether the host has nothing left to do, and since when nothing
// has moved.
func (p *parent) idle() (bool, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.tasks)+len(p.underWay)+p.quota == 0, time.Since(p.progress)
}
