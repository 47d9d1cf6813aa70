package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
)

// child is another process: it consumes, prints what it is given, and waits for
// a line of input after a message with the payload "hold". It ends with its
// input.
func child(named string) {
	b := postgres.New(os.Getenv("NOTIFY_TEST_CHILD_DSN"), short, func(c *postgres.Config) { c.Schema = named })
	lines := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- struct{}{}
		}
	}()
	// A batch that was begun may be finished: here it is one message.
	err := b.Consume(ctx, backend.Consumption{Topic: "t", Group: "g", MaxBatch: 1, Handle: each(func(m *message.Message, _ int) error {
		fmt.Println(m.UUID)
		if string(m.Payload) == "hold" {
			<-lines
		}
		return nil
	})})
	if err == nil {
		err = b.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is a child.
type process struct {
	got
	cmd   *exec.Cmd
	input io.WriteCloser
	read  chan struct{} // closed when it has no more output
}

// spawn starts a child, which ends when the test does.
func spawn(t *testing.T, named string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0]), read: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "NOTIFY_TEST_CHILD="+named, "NOTIFY_TEST_CHILD_DSN="+dsn)
	p.cmd.Stderr = os.Stderr
	var err error
	p.input, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	output, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.read)
		for out := bufio.NewScanner(output); out.Scan(); {
			p.add(out.Text())
		}
	}()
	t.Cleanup(func() {
		p.signal(t, syscall.SIGKILL)
		<-p.read
		_ = p.cmd.Wait()
	})
	return p
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(s))
}

// handled is what the child was given of the key.
func (p *process) handled(key string) []string {
	return slices.DeleteFunc(p.all(), func(id string) bool { return !strings.HasPrefix(id, key+"/") })
}
