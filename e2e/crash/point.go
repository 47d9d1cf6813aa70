package main

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// points are the named points of a child, at one of which it kills itself.
type points struct {
	fate  Fate
	grave *os.File // told where, just before

	armed   atomic.Bool // its fate counts
	mu      sync.Mutex
	counted int
}

// at makes a move: the points are before and after its effect.
func (p *points) at(name string, effect func() error) error {
	p.pass(name, false)
	err := effect()
	p.pass(name, true)
	return err
}

// pass ends the process if its fate is here.
func (p *points) pass(name string, after bool) {
	if p.fate.Nth == 0 || !p.armed.Load() || p.fate.After != after || !isPoint(name, p.fate.Point) {
		return
	}
	p.mu.Lock() // for ever, if it dies
	if p.counted++; p.counted == p.fate.Nth {
		p.die(name)
	}
	p.mu.Unlock()
}

// isPoint tells whether a point's name begins with those words.
func isPoint(name, words string) bool {
	rest, ok := strings.CutPrefix(name, words)
	return ok && (rest == "" || rest[0] == ' ')
}

func (p *points) die(name string) {
	_, _ = p.grave.WriteString(name)
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {}
}
