package sqlite_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/notifytest"
)

// notifier runs a Notifier on the file until stop is called.
func notifier(t testing.TB, file string, mail notify.Provider[notify.Email], observe func(notify.Event[any])) (n *notify.Notifier, stop func()) {
	t.Helper()
	n, err := notify.New(notify.Config{Backend: sqlite.Open(file), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	notify.Use(n, mail, hasty)
	notify.On(n, "journal", func(_ context.Context, e notify.Event[any]) error {
		observe(e)
		return nil
	})
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, n.Ready(ctx))
	return n, sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, n.Close(ctx))
		require.NoError(t, <-ended)
	})
}

// hasty has a provider tried again soon and often.
func hasty(c *notify.ProviderConfig) {
	c.BreakerFailures, c.Attempts = -1, 1000
	c.Backoff = func(int) time.Duration { return 50 * time.Millisecond }
}

func toAnna(key string) notify.Notification {
	return notify.Notification{
		Key: key, To: notify.Recipient{ID: "anna", Addresses: map[notify.Channel]string{notify.EmailChannel: "anna@example.com"}}, Route: notify.First(notify.EmailChannel),
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
	}
}

// journal counts the events of each notification by type.
type journal struct {
	mu   sync.Mutex
	seen map[string]map[string]bool
}

func (j *journal) observe(e notify.Event[any]) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.seen == nil {
		j.seen = map[string]map[string]bool{}
	}
	if j.seen[e.NotificationID] == nil {
		j.seen[e.NotificationID] = map[string]bool{}
	}
	j.seen[e.NotificationID][e.Type] = true
}

func (j *journal) saw(id, eventType string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seen[id][eventType]
}

func settles(t testing.TB, n *notify.Notifier, id string) notify.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	status, err := n.Wait(ctx, id)
	require.NoError(t, err)
	return status
}

func TestAnEventfulNotificationSettles(t *testing.T) {
	t.Parallel()
	mail := notifytest.NewProvider[notify.Email]("mail")
	var seen journal
	n, stop := notifier(t, path(t), mail, seen.observe)
	defer stop()
	id, err := n.Send(t.Context(), toAnna(""))
	require.NoError(t, err)
	require.Equal(t, notify.StateSent, settles(t, n, id).State)
	for _, want := range []string{"accepted", "routed", "rendered", "sending", "sent", "settled"} {
		eventually(t, func() bool { return seen.saw(id, "notify."+want+".v1") }, want)
	}
	again, err := n.Send(t.Context(), toAnna("order-1"))
	require.NoError(t, err)
	settles(t, n, again)
	same, err := n.Send(t.Context(), toAnna("order-1"))
	require.NoError(t, err)
	require.Equal(t, again, same)
}

// What was sent when nobody could deliver is delivered by the next process,
// with the keys that it was accepted under.
func TestANotifierGoesOnWhereTheLastOneEnded(t *testing.T) {
	t.Parallel()
	file := path(t)
	mail := notifytest.NewProvider[notify.Email]("mail")
	mail.Always(notifytest.FailTemporarily(notify.ClassService, "421"))
	var seen journal
	n, stop := notifier(t, file, mail, seen.observe)
	var ids []string
	for i := range 20 {
		id, err := n.Send(t.Context(), toAnna(strconv.Itoa(i)))
		require.NoError(t, err)
		ids = append(ids, id)
	}
	for _, id := range ids {
		eventually(t, func() bool { return seen.saw(id, "notify.retrying.v1") }, "it was tried")
	}
	stop()

	mail.Always(notifytest.Succeed())
	n, stop = notifier(t, file, mail, seen.observe)
	defer stop()
	for i, id := range ids {
		same, err := n.Send(t.Context(), toAnna(strconv.Itoa(i)))
		require.NoError(t, err)
		require.Equal(t, id, same)
		require.Equal(t, notify.StateSent, settles(t, n, id).State)
		eventually(t, func() bool { return seen.saw(id, "notify.settled.v1") }, "observers are told")
		require.Equal(t, 1, mail.EffectsOf(id))
	}
}

// killed is a process that another test kills: it prints the ID of each
// notification that was accepted.
func killed(file string) error {
	n, err := notify.New(notify.Config{Backend: sqlite.Open(file), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"), hasty)
	go func() { _ = n.Run(context.Background()) }()
	var senders sync.WaitGroup
	for s := range 8 {
		senders.Go(func() {
			for i := 0; ; i++ {
				id, err := n.Send(context.Background(), toAnna(fmt.Sprint(os.Getpid(), "-", s, "-", i)))
				if err != nil {
					panic(err)
				}
				fmt.Println("accepted", id)
			}
		})
	}
	senders.Wait()
	return nil
}

// Several processes are killed one after the other; the last one lives.
// Everything that one of them had accepted settles.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	file := path(t)
	var accepted []string
	for kill := range 4 {
		child := process("killed", file)
		var out strings.Builder
		child.Stderr = os.Stderr
		pipe, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		buffer := make([]byte, 1<<16)
		for strings.Count(out.String(), "accepted") < 100*(kill+1) {
			n, err := pipe.Read(buffer)
			out.Write(buffer[:n])
			require.NoError(t, err, out.String())
		}
		require.NoError(t, child.Process.Kill())
		for {
			n, err := pipe.Read(buffer)
			out.Write(buffer[:n])
			if err != nil {
				break
			}
		}
		_ = child.Wait()
		for line := range strings.Lines(out.String()) {
			if id, ok := strings.CutPrefix(line, "accepted "); ok && strings.HasSuffix(line, "\n") {
				accepted = append(accepted, strings.TrimSpace(id))
			}
		}
	}
	var seen journal
	n, stop := notifier(t, file, notifytest.NewProvider[notify.Email]("mail"), seen.observe)
	defer stop()
	began := time.Now()
	for _, id := range accepted {
		settles(t, n, id)
	}
	t.Logf("%d accepted, settled within %v", len(accepted), time.Since(began))
}
