package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a child that runs.
type process struct {
	cmd    *exec.Cmd
	life   *Life
	ready  <-chan struct{} // closed when its Notifier runs
	ended  chan struct{}
	err    error
	grave  string // the point at which it killed itself
	errors *strings.Builder
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
		r.mu.Lock()
		r.missed[pointText(f.Point, f.After, recovery)]++
		r.mu.Unlock()
	}
	l := r.parent.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.life.Ready.IsZero() {
		return atRandom + ", in recovery", nil
	}
	return atRandom, nil
}
