package main

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

// slot is a place for a child, one after the other. A run has one, or two whose
// children share the work.
type slot struct {
	*run
	chance *rand.Rand
}

func (r *run) slot(number uint64) *slot {
	return &slot{run: r, chance: rand.New(rand.NewPCG(r.Seed, number))}
}

// kill runs children until the run has killed enough.
func (s *slot) kill() error {
	for s.more() {
		point, err := s.life()
		if err != nil {
			return err
		}
		s.count(point)
	}
	return nil
}

// life runs one child until it dies, and returns where: empty if it ended by
// itself.
func (s *slot) life() (string, error) {
	recovery := s.chance.IntN(3) == 0
	o := Orders{Fate: s.fate(recovery), Echo: s.chance.IntN(3) == 0, Workers: 4}
	if s.isKafka() {
		// A kfake may forget who waits for a member that died while it joined.
		o.Settle = 3 * time.Second
	}
	if recovery {
		s.parent.allow(0)
	} else {
		s.parent.allow(s.Sends)
	}
	if s.chance.IntN(4) == 0 {
		s.parent.add(Task{Kind: TaskRedrive}, time.Now())
	}
	c, err := s.start(o)
	if err != nil {
		return "", err
	}
	if o.Fate.Nth > 0 || s.isKafka() || s.chance.IntN(2) == 0 {
		select {
		case <-c.ended:
		case <-c.ready:
		case <-time.After(5 * time.Minute):
			return "", fmt.Errorf("child %d does not start: %s", c.life.Number, c.errors)
		}
	}
	select {
	case <-c.ended:
	case <-time.After(s.patience(c, o, recovery)):
		switch {
		case s.Pair && s.chance.IntN(3) == 0:
			s.freeze(c)
		case s.chance.IntN(8) == 0: // it is killed while it closes
			_ = c.cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-c.ended:
			case <-time.After(time.Duration(s.chance.IntN(30)) * time.Millisecond):
			}
		}
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
	return s.buried(c, o.Fate, recovery)
}

// patience is how much longer a child may live: if it has a fate, long enough
// for it to come to that point if there is anything to do there, on a machine
// as busy as its start shows.
func (s *slot) patience(c *process, o Orders, recovery bool) time.Duration {
	start := time.Since(c.life.Began) - o.Settle
	switch {
	case o.Fate.Nth == 0:
		return time.Duration(s.chance.Int64N(int64(80*time.Millisecond + 4*start)))
	case recovery:
		return 20*time.Millisecond + 2*start
	default:
		return 60*time.Millisecond + 6*start
	}
}

// freeze stops a child for longer than its memberships last, or even the leases
// on its calls, while the other goes on. Then it thaws, and finds out.
func (s *slot) freeze(c *process) {
	long := 2 * takeover
	if s.chance.IntN(3) == 0 {
		long = leaseTime + takeover
	}
	l := s.parent.ledger
	l.mu.Lock()
	from := len(c.life.Frozen)
	c.life.Frozen = append(c.life.Frozen, Span{From: time.Now()})
	l.mu.Unlock()
	_ = c.cmd.Process.Signal(syscall.SIGSTOP)
	s.frozen.Add(1)
	expel := time.AfterFunc(takeover, func() { s.parent.broker.expel(c.life.Number) })
	defer expel.Stop()
	select {
	case <-c.ended:
	case <-time.After(long):
	}
	l.mu.Lock()
	c.life.Frozen[from].To = time.Now()
	l.mu.Unlock()
	_ = c.cmd.Process.Signal(syscall.SIGCONT)
	select {
	case <-c.ended:
	case <-time.After(time.Duration(100+s.chance.IntN(500)) * time.Millisecond):
	}
}
