package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/notifytest"
)

// endless is a provider whose calls do not end, in a process that says so.
type endless struct{}

func (endless) Name() string { return "mail" }

func (endless) Capabilities() notify.Capabilities { return notify.Capabilities{KeyWindow: day} }

func (endless) Send(_ context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	fmt.Println(d.NotificationID, d.Key)
	select {}
}

const day = 24 * time.Hour

// patiently has the lease of a call last for longer than any test.
func patiently(c *notify.ProviderConfig) { c.AttemptTimeout = time.Hour }

// calls is a process that is killed in a call.
func calls(file string) error {
	n, err := notify.New(notify.Config{Backend: sqlite.Open(file), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	notify.Use(n, notify.Provider[notify.Email](endless{}), patiently)
	if _, err := n.Send(context.Background(), toAnna("")); err != nil {
		return err
	}
	return n.Run(context.Background())
}

// The next process does not wait for the lease of one that was killed: it repeats
// the call where that is safe, and says Unknown where it is not.
func TestALeaseEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		keyed func(*notify.Capabilities)
		want  notify.State
		calls int
	}{
		{"repeated under its key", func(c *notify.Capabilities) { c.KeyWindow = day }, notify.StateSent, 1},
		{"in doubt", func(*notify.Capabilities) {}, notify.StateUnknown, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := path(t)
			dead := process("calls", file)
			dead.Stderr = os.Stderr
			out, err := dead.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, dead.Start())
			t.Cleanup(func() { _ = dead.Process.Kill() })
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			require.NoError(t, dead.Process.Kill())
			require.Error(t, dead.Wait())
			id, key, _ := strings.Cut(strings.TrimSpace(line), " ")

			mail := notifytest.NewProvider[notify.Email]("mail", c.keyed)
			n, err := notify.New(notify.Config{Backend: sqlite.Open(file), Logger: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			notify.Use(n, mail, patiently)
			ended := make(chan error, 1)
			go func() { ended <- n.Run(context.Background()) }()
			require.Equal(t, c.want, settles(t, n, id).State)
			require.NoError(t, n.Close(t.Context()))
			require.NoError(t, <-ended)
			require.Len(t, mail.Calls(), c.calls)
			for _, call := range mail.Calls() {
				require.Equal(t, key, call.Key)
				require.Equal(t, 2, call.Call, "a call of its own")
			}
		})
	}
}
