package e2e_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/settle"
)

var settleOpen = flag.Int("settle.open", 3_000, "how many notifications are open in TestSettleManyOpen; a million takes minutes")

// kept is a backend that keeps records.
type kept interface {
	notify.Backend
	backend.Records
}

// settling is a process that routes, of which no other delivers e-mail.
type settling struct {
	*notify.Notifier
	ran chan error
}

func settles(t *testing.T, b notify.Backend, attached ...notify.Attacher) settling {
	t.Helper()
	n, err := notify.New(notify.Config{
		Backend: b, KeepBackend: true, Logger: slog.New(slog.DiscardHandler),
		Roles: &notify.Roles{Route: true, Elsewhere: []notify.Channel{notify.EmailChannel}},
	})
	require.NoError(t, err)
	n.Attach(attached...)
	s := settling{n, make(chan error, 1)}
	go func() { s.ran <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	return s
}

func (s settling) close(t *testing.T) {
	t.Helper()
	require.NoError(t, s.Close(context.Background()))
	require.NoError(t, <-s.ran)
}

// routed sends a notification, and returns its record once it has a plan.
func (s settling) routed(t *testing.T, b kept) backend.Record {
	t.Helper()
	id, err := s.Send(t.Context(), notify.Notification{
		To:      notify.Recipient{ID: "ann", Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "On its way."}, Route: notify.First(notify.EmailChannel),
		ExpiresAt: time.Now().Add(100 * 24 * time.Hour),
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		status, err := s.Status(t.Context(), id)
		return err == nil && status.State == notify.StateRouted
	}, patience, time.Millisecond)
	r, err := b.Load(t.Context(), id)
	require.NoError(t, err)
	return r
}

// aged is the record as it would be if it had waited that long.
func aged(t *testing.T, r backend.Record, by time.Duration) backend.Record {
	t.Helper()
	body, err := r.Body.AppendBinary(nil)
	require.NoError(t, err)
	const field = `"next_at":"`
	before, rest, found := bytes.Cut(body, []byte(field))
	require.True(t, found)
	was, after, found := bytes.Cut(rest, []byte(`"`))
	require.True(t, found)
	at, err := time.Parse(time.RFC3339Nano, string(was))
	require.NoError(t, err)
	r.Body = backend.Bytes(fmt.Sprintf("%s%s%s\"%s", before, field, at.Add(-by).Format(time.RFC3339Nano), after))
	return r
}

// A limit counts through restarts of the process and of the backend: what was
// written to a file eight hours ago, and waits, ends when the file is opened; what
// was written one hour ago goes on waiting.
func TestSettleAfterARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "notify.db")
	open := func() *sqlite.Backend { return sqlite.Open(file) }
	b := open()
	first := settles(t, b, settle.New())
	long, short := first.routed(t, b), first.routed(t, b)
	first.close(t)
	for id, by := range map[string]time.Duration{long.ID: 8 * time.Hour, short.ID: time.Hour} {
		r, err := b.Load(t.Context(), id)
		require.NoError(t, err)
		r = aged(t, r, by)
		r.Due = time.Now()
		_, err = b.Store(t.Context(), r)
		require.NoError(t, err)
	}
	require.NoError(t, b.Close())

	b = open()
	second := settles(t, b, settle.New())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	status, err := second.Wait(ctx, long.ID)
	require.NoError(t, err)
	require.Equal(t, notify.StateExpired, status.State)
	require.Eventually(t, func() bool { // it was swept
		r, err := b.Load(t.Context(), short.ID)
		return err == nil && r.Due.After(time.Now())
	}, patience, time.Millisecond)
	status, err = second.Status(t.Context(), short.ID)
	require.NoError(t, err)
	require.False(t, status.Settled)
	events := 0
	for range second.Watch(ctx, long.ID) {
		events++
	}
	second.close(t)
	require.NoError(t, b.Close())

	b = open() // and nothing is decided twice
	third := settles(t, b, settle.New())
	again := 0
	for e, err := range third.Watch(ctx, long.ID) {
		require.NoError(t, err)
		again++
		if stuck, ok := e.Data.(notify.Stuck); ok {
			require.Equal(t, notify.PhaseRouted, stuck.Phase)
		}
	}
	require.Equal(t, events, again)
	third.close(t)
	require.NoError(t, b.Close())
}

// Open notifications, however many, cost no memory beyond their records: the
// sweep goes by when they are due, a hundred at a time.
func TestSettleManyOpen(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) kept{
		"memory": func(*testing.T) kept {
			return memory.New(func(c *memory.Config) { c.MaxRecords = 1 << 21 })
		},
		"sqlite": func(t *testing.T) kept {
			return sqlite.Open(filepath.Join(t.TempDir(), "notify.db"), func(c *sqlite.Config) { c.MaxRecords = 1 << 21 })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			first := settles(t, b)
			sample := first.routed(t, b)
			first.close(t)
			late := aged(t, sample, 8*time.Hour)
			lingering := *settleOpen / 100
			began := time.Now()
			fill(t, b, "open", *settleOpen, sample, time.Now().Add(time.Hour))
			fill(t, b, "late", lingering, late, time.Now())
			t.Logf("%d records stored in %s", *settleOpen+lingering, time.Since(began))

			before, rss := live(), resident()
			peak := watchHeap()
			began = time.Now()
			n := settles(t, b, settle.New())
			for i := range lingering {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				status, err := n.Wait(ctx, fmt.Sprintf("late-%d", i))
				cancel()
				require.NoError(t, err)
				require.Equal(t, notify.StateExpired, status.State)
			}
			took := time.Since(began)
			highest := peak()
			after := live()
			status, err := n.Status(t.Context(), fmt.Sprintf("open-%d", *settleOpen-1))
			require.NoError(t, err)
			require.False(t, status.Settled)
			t.Logf("%d open: live heap %d KiB before, %d KiB after %d were ended in %s (highest %d KiB); resident %s before, %s after",
				*settleOpen, before>>10, after>>10, lingering, took, highest>>10, rss, resident())
			// What was ended has grown by its events, and they are in their topic.
			require.Less(t, int64(after)-int64(before), int64(16<<20+lingering*16<<10))
			n.close(t)
			require.NoError(t, b.Close())
		})
	}
}

// fill stores copies of a record.
func fill(t *testing.T, b kept, name string, count int, sample backend.Record, due time.Time) {
	t.Helper()
	body, err := sample.Body.AppendBinary(nil)
	require.NoError(t, err)
	var storing sync.WaitGroup
	const callers = 256
	for caller := range callers {
		storing.Go(func() {
			for i := caller; i < count; i += callers {
				id := fmt.Sprintf("%s-%d", name, i)
				_, err := b.Store(t.Context(), backend.Record{
					ID: id, Due: due, Expires: sample.Expires,
					Body: backend.Bytes(bytes.ReplaceAll(body, []byte(sample.ID), []byte(id))),
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	storing.Wait()
}

// live is the heap that is in use after a collection.
func live() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// watchHeap watches the heap, with what was not collected yet; it returns what
// ends that and tells the highest.
func watchHeap() (highest func() uint64) {
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		var high uint64
		for {
			metrics.Read(sample)
			high = max(high, sample[0].Value.Uint64())
			select {
			case <-stop:
				most <- high
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-most
	}
}

// resident is the memory of the process, where the system tells.
func resident() string {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}
