package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// process is the program as it was built, running.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	url   string
	log   lines
	out   lines
	ended chan struct{} // closed when it has
}

var listening = regexp.MustCompile(`msg=listening addr=(\S+)`)

// start runs the program until it listens. It is killed with the test if it runs
// still.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startWith(t, nil, args...)
}

func startWith(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	file, err := build()
	require.NoError(t, err)
	p := &process{t: t, cmd: exec.Command(file, append([]string{"-addr", "127.0.0.1:0"}, args...)...), ended: make(chan struct{})}
	p.cmd.Stdout = &p.out
	p.cmd.Env = append(os.Environ(), env...)
	reader, writer := io.Pipe()
	p.cmd.Stderr = io.MultiWriter(&p.log, writer)
	require.NoError(t, p.cmd.Start())
	address := make(chan string, 1)
	go func() {
		for all := bufio.NewScanner(reader); all.Scan(); {
			if found := listening.FindStringSubmatch(all.Text()); found != nil {
				address <- found[1]
			}
		}
	}()
	go func() {
		_ = p.cmd.Wait()
		_ = writer.Close()
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	select {
	case a := <-address:
		p.url = "http://" + a
	case <-p.ended:
		require.Fail(t, "it did not start", p.log.String())
	}
	return p
}

// kill ends it as a power cut does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// terminate asks it to end.
func (p *process) terminate() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
}

// code waits for the end.
func (p *process) code() int {
	<-p.ended
	return p.cmd.ProcessState.ExitCode()
}

// lines is what was written so far.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
