package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Settings are a run's.
type Settings struct {
	Backend string
	Kills   int
	Sends   int // how many notifications a child is given to send, at most
	Seed    uint64
	Without string
	// Program is the child's: this one, by another name. Dir is for what the
	// run leaves on disk, and Errors gets what children say.
	Program []string
	Dir     string
	Errors  io.Writer
}

// run kills children until it has done so often enough, then lets one finish.
type run struct {
	Settings
	Where   string // the backend's file or address
	parent  *parent
	chance  *rand.Rand
	kills   map[string]int // by point, with "before", "after" and "recovery"
	missed  map[string]int // fates by point that did not come true
	started time.Time
}

// Outcome is what came of a run.
type Outcome struct {
	Settings
	Kills   map[string]int
	Total   int
	Verdict *Verdict
	Took    time.Duration
	Drained time.Duration
}

func play(s Settings) (*Outcome, error) {
	r := &run{
		Settings: s, chance: rand.New(rand.NewPCG(s.Seed, 0)), kills: map[string]int{}, missed: map[string]int{}, started: time.Now(),
	}
	var err error
	if r.parent, err = newParent(s.Seed, filepath.Join(s.Dir, "s")); err != nil {
		return nil, err
	}
	r.parent.broker = newBrokers()
	defer func() { _ = r.parent.broker.Close() }()
	defer r.parent.close()
	servers, where, err := serve(s.Backend, s.Dir)
	if err != nil {
		return nil, err
	}
	defer servers()
	r.Where = where
	out := &Outcome{Settings: s, Kills: r.kills}
	for out.Total < s.Kills {
		point, err := r.life()
		if err != nil {
			return nil, err
		}
		if point != "" {
			r.kills[point]++
			out.Total++
		}
		if s.Without != "" && point != "" && out.Total%10 == 0 && !r.soundSoFar() {
			break
		}
	}
	began := time.Now()
	if err := r.drain(); err != nil {
		return nil, err
	}
	out.Verdict, out.Took, out.Drained = r.parent.ledger.check(), time.Since(r.started), time.Since(began)
	return out, nil
}

// soundSoFar tells whether nothing was done that no later child can mend.
func (r *run) soundSoFar() bool {
	v := r.parent.ledger.check()
	return len(v.Doubled)+len(v.Canceled)+len(v.Baseless)+len(v.Unrelated) == 0
}

// The points that a child may be sent to: on every backend, where records and
// backend are one, and where they are apart.
var (
	pointsAnywhere = []string{
		"publish-later", "expire", "bury", "unbury", "fix", "acknowledge route", "acknowledge deliver", "acknowledge events",
		"call", "ask", "observe", "send", "cancel", "report", "redrive",
	}
	pointsTogether = []string{"commit accepted", "commit rendered", "commit sending", "commit sent", "commit unknown", "commit delivered", "commit"}
	pointsApart    = []string{"store", "publish", "publish route", "publish deliver", "publish sending", "publish settled", "delete"}
)

// points are those of the run's backend.
func (r *run) points() []string {
	if r.isKafka() || r.Backend == "apart" {
		return slices.Concat(pointsAnywhere, pointsApart)
	}
	return slices.Concat(pointsAnywhere, pointsTogether)
}

// atRandom is the point of a child that the parent kills.
const atRandom = "a random moment"

// life runs one child until it dies, and returns where: empty if it ended by
// itself.
func (r *run) life() (string, error) {
	recovery := r.chance.IntN(3) == 0
	o := Orders{Fate: r.fate(recovery), Echo: r.chance.IntN(3) == 0, Workers: 4}
	if recovery {
		r.parent.allow(0)
	} else {
		r.parent.allow(r.Sends)
	}
	if r.chance.IntN(4) == 0 {
		r.parent.add(Task{Kind: TaskRedrive}, time.Now())
	}
	c, err := r.start(o)
	if err != nil {
		return "", err
	}
	if o.Fate.Nth > 0 || r.isKafka() || r.chance.IntN(2) == 0 {
		select {
		case <-c.ended:
		case <-c.ready:
		case <-time.After(time.Minute):
			return "", fmt.Errorf("child %d does not start: %s", c.life.Number, c.errors)
		}
	}
	select {
	case <-c.ended:
	case <-time.After(r.patience(c, o, recovery)):
		if r.chance.IntN(8) == 0 { // it is killed while it closes
			_ = c.process.Signal(syscall.SIGTERM)
			select {
			case <-c.ended:
			case <-time.After(time.Duration(r.chance.IntN(30)) * time.Millisecond):
			}
		}
		_ = c.process.Kill()
		<-c.ended
	}
	return r.buried(c, o.Fate, recovery)
}

// patience is how much longer a child may live: if it has a fate, long enough
// for it to come to that point if there is anything to do there, on a machine
// as busy as its start shows.
func (r *run) patience(c *process, o Orders, recovery bool) time.Duration {
	start := time.Since(c.life.Began)
	var least time.Duration
	if r.isKafka() {
		least = 3 * time.Second // a group waits for its dead members
	}
	switch {
	case o.Fate.Nth == 0:
		return least + time.Duration(r.chance.Int64N(int64(80*time.Millisecond+4*start)))
	case recovery:
		return least + 20*time.Millisecond + 2*start
	default:
		return 2*least + 60*time.Millisecond + 6*start
	}
}

func (r *run) isKafka() bool { return strings.HasPrefix(r.Backend, "kafka") }

// fate picks a point that few children died at so far, or none.
func (r *run) fate(recovery bool) Fate {
	if r.chance.IntN(8) == 0 {
		return Fate{}
	}
	var best []Fate
	least := -1
	for _, point := range r.points() {
		for _, after := range []bool{false, true} {
			name := pointText(point, after, recovery)
			weight := r.kills[name] + 2*r.missed[name]
			if least < 0 || weight < least {
				best, least = nil, weight
			}
			if weight == least {
				best = append(best, Fate{Point: point, After: after, Nth: 1 + r.chance.IntN(3)})
			}
		}
	}
	return best[r.chance.IntN(len(best))]
}

// pointText names a point in the table of kills.
func pointText(point string, after, recovery bool) string {
	text := "before " + point
	if after {
		text = "after " + point
	}
	if recovery {
		text += ", in recovery"
	}
	return text
}

// process is a child that runs.
type process struct {
	process *os.Process
	cmd     *exec.Cmd
	life    *Life
	ready   <-chan struct{} // closed when its Notifier runs
	ended   chan struct{}
	err     error
	grave   string // the point at which it killed itself
	errors  *strings.Builder
}

func (r *run) start(o Orders) (*process, error) {
	l := r.parent.ledger
	l.mu.Lock()
	life := &Life{Number: len(l.Lives) + 1, Began: time.Now(), ready: make(chan struct{})}
	l.Lives = append(l.Lives, life)
	l.mu.Unlock()
	o.Socket, o.Life, o.Backend, o.Where, o.Without = filepath.Join(r.Dir, "s"), life.Number, r.Backend, r.Where, r.Without
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c := &process{life: life, ready: life.ready, ended: make(chan struct{}), errors: &strings.Builder{}}
	c.cmd = exec.Command(r.Program[0], r.Program[1:]...)
	c.cmd.Env = append(os.Environ(), ordersEnv+"="+string(text))
	c.cmd.ExtraFiles = []*os.File{write}
	c.cmd.Stdout, c.cmd.Stderr = c.errors, c.errors
	err = c.cmd.Start()
	_ = write.Close()
	if err != nil {
		_ = read.Close()
		return nil, fmt.Errorf("start a child: %w", err)
	}
	c.process = c.cmd.Process
	go func() {
		defer close(c.ended)
		grave, _ := io.ReadAll(read)
		_ = read.Close()
		c.err = c.cmd.Wait()
		c.grave = string(grave)
		l.mu.Lock()
		life.Ended, life.Point = time.Now(), c.grave
		l.mu.Unlock()
		r.parent.died(life.Number)
	}()
	return c, nil
}

// buried returns where a child died. A child that was not killed must have
// ended well. (SIGTERM kills one that does not listen yet.)
func (r *run) buried(c *process, f Fate, recovery bool) (string, error) {
	if c.errors.Len() > 0 {
		fmt.Fprintf(r.Errors, "child %d: %s\n", c.life.Number, c.errors)
	}
	var exit *exec.ExitError
	switch {
	case c.err == nil:
		return "", nil
	case !errors.As(c.err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled():
		return "", fmt.Errorf("child %d failed: %w: %s", c.life.Number, c.err, c.errors)
	case c.grave != "":
		return pointText(f.Point, f.After, recovery), nil
	}
	if f.Nth > 0 {
		r.missed[pointText(f.Point, f.After, recovery)]++
	}
	l := r.parent.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.life.Ready.IsZero() {
		return atRandom + ", in recovery", nil
	}
	return atRandom, nil
}

// drain lets a child send its share and finish what is left, and asks it how
// everything ended.
func (r *run) drain() error {
	r.parent.allow(r.Sends)
	c, err := r.start(Orders{Workers: 8})
	if err != nil {
		return err
	}
	// Longer than the sweep needs to find out about anything. A control is not
	// expected to finish.
	patience, most := 75*time.Second, 5*time.Minute
	if r.Without != "" || r.Backend == "memory" {
		patience, most = 14*time.Second, 25*time.Second
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
	_ = c.process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(20 * time.Second):
		_ = c.process.Kill()
		<-c.ended
		return errors.New("the last child did not close in time")
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
