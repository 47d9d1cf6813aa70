package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Settings are a run's.
type Settings struct {
	Backend string
	Kills   int
	Sends   int // how many notifications a child is given to send, at most
	Seed    uint64
	// Points are where a child has to be killed: the run goes on until one was
	// at each, or it has killed three times as many as it was to.
	Points  []string
	Pair    bool // two children at a time share the work
	Without string
	// Program is the child's: this one, by another name. Dir is for what the
	// run leaves on disk, and Errors gets what children say.
	Program []string
	Dir     string
	Errors  io.Writer
	// Turn, if it is set, has room for the runs that may kill at a time; to
	// finish takes more waiting than work.
	Turn chan struct{}
}

// run kills children until it has done so often enough, then lets one finish.
type run struct {
	Settings
	Where  string // the backend's file or address
	parent *parent
	frozen atomic.Int64

	mu      sync.Mutex     // guards the following
	kills   map[string]int // by point
	missed  map[string]int // fates that did not come true, by point
	total   int
	unsound bool
}

// Outcome is what came of a run.
type Outcome struct {
	Settings
	Kills   map[string]int // by point
	Missed  map[string]int // children that did not come to their point, by point
	Total   int
	Frozen  int
	Verdict *Verdict
	Killing time.Duration
	Ending  time.Duration
}

// play makes a run.
func play(s Settings) (*Outcome, error) {
	r := &run{Settings: s, kills: map[string]int{}, missed: map[string]int{}}
	servers, where, err := serve(s.Backend, s.Dir)
	if err != nil {
		return nil, err
	}
	defer servers()
	r.Where = where
	if r.parent, err = newParent(s.Seed, filepath.Join(s.Dir, "s")); err != nil {
		return nil, err
	}
	defer r.parent.close()
	began := time.Now()
	if err := r.killAll(); err != nil {
		return nil, err
	}
	killed := time.Now()
	if err := r.drain(); err != nil {
		return nil, err
	}
	return &Outcome{
		Settings: s, Kills: r.kills, Missed: r.missed, Total: r.total, Frozen: int(r.frozen.Load()), Verdict: r.parent.ledger.check(),
		Killing: killed.Sub(began), Ending: time.Since(killed),
	}, nil
}

// killAll fills the slots with children until enough were killed.
func (r *run) killAll() error {
	if r.Turn != nil {
		r.Turn <- struct{}{}
		defer func() { <-r.Turn }()
	}
	if !r.Pair {
		return r.slot(0).kill()
	}
	var slots sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		slots.Go(func() { errs[i] = r.slot(uint64(i)).kill() })
	}
	slots.Wait()
	return errors.Join(errs...)
}

// more tells whether there is more to kill. A control ends when what it brings
// about is seen.
func (r *run) more() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.unsound && (r.total < r.Settings.Kills || r.total < 3*r.Settings.Kills && slices.ContainsFunc(r.Points, r.unseen))
}

// unseen tells whether no child was killed at a point yet. mu is held.
func (r *run) unseen(point string) bool { return r.kills[point] == 0 }

func (r *run) count(point string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if point == "" {
		return
	}
	r.kills[point]++
	r.total++
	if r.Without != "" && r.total%10 == 0 {
		v := r.parent.ledger.check()
		r.unsound = len(v.Doubled)+len(v.Canceled)+len(v.Baseless)+len(v.Unrelated)+len(v.Changed) > 0
	}
}

// drain lets a child send its share and finish what is left, and asks it how
// everything ended.
func (r *run) drain() error {
	r.parent.allow(r.Sends)
	c, err := r.start(Orders{Workers: 8})
	if err != nil {
		return err
	}
	// Longer than the sweep needs to find out about anything, on a busy machine. A
	// control that is expected to lose something gets enough for that, or it would
	// lose what only comes late; the others have shown what they were to show.
	patience, most := 3*time.Minute, 10*time.Minute
	v := r.parent.ledger.check()
	switch shown := len(v.Doubled) + len(v.Canceled) + len(v.Baseless) + len(v.Changed); {
	case r.Without != "" && shown > 0:
		patience, most = 14*time.Second, 25*time.Second
	case r.Without != "" || r.Backend == "memory":
		patience, most = 75*time.Second, 5*time.Minute
	}
	for began := time.Now(); time.Since(began) < most; {
		select {
		case <-c.ended:
			return fmt.Errorf("the last child ended by itself: %w: %s", c.err, c.errors)
		case <-time.After(100 * time.Millisecond):
		}
		idle, still := r.parent.idle()
		if !idle {
			if still > patience {
				break
			}
			continue
		}
		if left := r.parent.follow(); left == 0 || still > patience {
			break
		}
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(2 * time.Minute):
		_ = c.cmd.Process.Signal(syscall.SIGQUIT) // it says where it is
		<-c.ended
		return fmt.Errorf("the last child did not close in time: %s", c.errors)
	}
	_, err = r.buried(c, Fate{}, false)
	return err
}

// follow asks for the ends that are not known yet, and for dead letters to be
// redriven, and returns how much is left.
func (p *parent) follow() (left int) {
	p.ledger.mu.Lock()
	var open []string
	for _, id := range p.ledger.known() {
		if end := p.ledger.Final[id]; end == nil || end.State == "" {
			open = append(open, id)
		}
	}
	for _, e := range p.ledger.unrecorded() { // it may have come since
		if !slices.Contains(open, e.Notification) {
			open = append(open, e.Notification)
		}
	}
	p.ledger.mu.Unlock()
	for _, id := range open {
		p.add(Task{Kind: TaskFollow, ID: id}, time.Now().Add(200*time.Millisecond))
	}
	if len(open) > 0 {
		return len(open)
	}
	v := p.ledger.check()
	if slices.ContainsFunc(v.Missed, func(m string) bool { return strings.HasPrefix(m, picky) }) {
		p.add(Task{Kind: TaskRedrive}, time.Now().Add(100*time.Millisecond))
	}
	return len(v.Missed)
}
