package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
)

var errFailed = errors.New("failed")

// What failed, and what queues behind it, waits across a restart: it keeps its
// attempts and its time, and the position goes on.
func TestWhatWaitsOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	named := schema(t)
	var c postgres.Config
	named(&c)
	conn := connect(t)
	one := postgres.New(dsn, named)
	require.NoError(t, one.Fix(t.Context(), "t", "g", backend.FromOldest()))
	var first got
	const pause = 600 * time.Millisecond
	var failedAt atomic.Int64
	paused := func(pause time.Duration) func(int, error) time.Duration {
		return func(int, error) time.Duration { return pause }
	}
	leave := consume(t, one, backend.Consumption{Topic: "t", Group: "g", Backoff: paused(time.Hour), Handle: each(func(m *message.Message, attempt int) error {
		first.add(fmt.Sprintf("%s#%d", m.UUID, attempt))
		if m.UUID == "bad/0" {
			failedAt.Store(time.Now().UnixNano())
			return errFailed
		}
		return nil
	})})
	publish(t, one, "t", of("bad", 0), of("bad", 1), of("good", 0))
	eventually(t, func() bool {
		var waiting int
		require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from "+c.Schema+".waiting").Scan(&waiting))
		return waiting == 2 && slices.Contains(first.all(), "good/0#1")
	}, "it is written down")
	leave()
	require.NoError(t, one.Close())
	// The machine may be busy: its pause is shorter only now.
	_, err := conn.Exec(t.Context(), "update "+c.Schema+".waiting set due = due - $1::interval", time.Hour-pause)
	require.NoError(t, err)

	two := open(t, named)
	lag, err := two.Lag(t.Context(), "t", "g")
	require.NoError(t, err)
	require.EqualValues(t, 2, lag)
	var second got
	var againAt atomic.Int64
	consume(t, two, backend.Consumption{Topic: "t", Group: "g", Backoff: paused(pause), Handle: each(func(m *message.Message, attempt int) error {
		if m.UUID == "bad/0" {
			againAt.Store(time.Now().UnixNano())
		}
		second.add(fmt.Sprintf("%s#%d", m.UUID, attempt))
		return nil
	})})
	publish(t, two, "t", of("bad", 2), of("good", 1))
	caughtUp(t, two, "t", "g")
	require.Equal(t, []string{"bad/0#1", "good/0#1"}, first.all())
	require.Equal(t, []string{"bad/0#2", "bad/1#1", "bad/2#1"}, slices.DeleteFunc(second.all(), func(id string) bool { return id == "good/1#1" }))
	require.GreaterOrEqual(t, time.Duration(againAt.Load()-failedAt.Load()), pause-10*time.Millisecond)
	eventually(t, func() bool {
		var waiting int
		require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from "+c.Schema+".waiting").Scan(&waiting))
		return waiting == 0
	}, "nothing waits any more")
}

// Without polling, other processes hear of messages by NOTIFY; without NOTIFY, by
// polling.
func TestOtherProcessesAreWoken(t *testing.T) {
	t.Parallel()
	named := schema(t)
	var c postgres.Config
	named(&c)
	seldom := func(c *postgres.Config) { c.Poll = time.Hour }
	one, two := open(t, named, seldom), open(t, named, seldom)
	require.NoError(t, one.Fix(t.Context(), "t", "g", backend.FromOldest()))
	var seen got
	handle := each(func(m *message.Message, _ int) error {
		seen.add(m.UUID)
		return nil
	})
	leave := consume(t, one, backend.Consumption{Topic: "t", Group: "g", Handle: handle})
	for n := range 20 {
		publish(t, two, "t", of("k", n))
		eventually(t, func() bool { return len(seen.all()) == n+1 }, "it is announced")
	}
	require.NoError(t, two.PublishAt(t.Context(), time.Now().Add(50*time.Millisecond), "t", of("k", 20)))
	eventually(t, func() bool { return len(seen.all()) == 21 }, "what was delayed is announced")
	leave()

	three := open(t, named, func(c *postgres.Config) { c.Poll = 20 * time.Millisecond })
	consume(t, three, backend.Consumption{Topic: "t", Group: "g", Handle: handle})
	_, err := connect(t).Exec(t.Context(), "insert into "+c.Schema+".message (topic, partition, uuid, metadata, payload) values ('t', 0, 'silent', '{}', '')")
	require.NoError(t, err)
	eventually(t, func() bool { return slices.Contains(seen.all(), "silent") }, "it is found by polling")
}

// Delayed messages are brought by any process, in the order of their times.
func TestDelayedMessagesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	named := schema(t)
	var c postgres.Config
	named(&c)
	one := postgres.New(dsn, named)
	far := time.Now().Add(time.Hour)
	const n = 300
	for i := range n {
		require.NoError(t, one.PublishAt(t.Context(), far.Add(time.Duration(i)*time.Millisecond), "t", of("k", i)))
	}
	require.NoError(t, one.Close())
	at := time.Now().Add(200 * time.Millisecond)
	_, err := connect(t).Exec(t.Context(), "update "+c.Schema+".delayed set at = at - $1::interval", far.Sub(at))
	require.NoError(t, err)
	var want []string
	for i := range n {
		want = append(want, "k/"+strconv.Itoa(i))
	}
	var seen got
	for range 3 {
		open(t, named, func(c *postgres.Config) { c.Poll = 10 * time.Millisecond }).Fix(t.Context(), "t", "g", backend.FromOldest())
	}
	b := open(t, named)
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(m *message.Message, _ int) error {
		seen.add(m.UUID)
		return nil
	})})
	eventually(t, func() bool { return len(seen.all()) == n }, "all have come")
	require.Equal(t, want, seen.all())
	require.False(t, time.Now().Before(at.Add(n*time.Millisecond)))
}

// A row that a transaction of the host's holds keeps one writer waiting, and no
// other.
func TestAHeldRowHoldsUpNoOtherWriter(t *testing.T) {
	t.Parallel()
	named := schema(t)
	var c postgres.Config
	named(&c)
	store := records(t, named)
	put := func(id string) error {
		_, err := store.Store(t.Context(), backend.Record{ID: id, Body: backend.Bytes("body")})
		return err
	}
	require.NoError(t, put("first"))
	tx, err := connect(t).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "insert into "+c.Schema+".record (id, revision, body) values ('held', 1, '')")
	require.NoError(t, err)

	held := make(chan error, 1)
	go func() { held <- put("held") }()
	var others sync.WaitGroup
	failed := make(chan error, 200)
	for i := range cap(failed) {
		others.Go(func() { failed <- put(strconv.Itoa(i)) })
	}
	others.Wait()
	for range cap(failed) {
		require.NoError(t, <-failed)
	}
	select {
	case err := <-held:
		t.Fatalf("the held one returned %v", err)
	default:
	}
	require.NoError(t, tx.Commit(t.Context()))
	require.ErrorIs(t, <-held, backend.ErrConflict)
}

// The server goes away in mid-run and comes back: what Publish returned nil for is
// there, and is handled in order.
func TestTheServerGoesAwayInMidRun(t *testing.T) {
	t.Parallel()
	if server == nil {
		t.Skip("no server of our own: ", missing)
	}
	p := newProxy(t)
	p.up()
	b := postgres.New(p.dsn(), schema(t), short)
	defer func() { require.NoError(t, b.Close()) }()
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	var seen got
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Concurrency: 4, Handle: each(func(m *message.Message, _ int) error {
		seen.add(m.UUID)
		return nil
	})})
	pub, err := b.Publisher()
	require.NoError(t, err)
	var accepted []string
	failures := 0
	for n := range 400 {
		switch n {
		case 100, 200:
			p.cut()
		case 300:
			p.down()
		case 320:
			p.up()
		}
		m := of("k", n)
		if err := pub.Publish("t", m); err == nil {
			accepted = append(accepted, m.UUID)
		} else {
			failures++
		}
	}
	require.Positive(t, failures)
	eventually(t, func() bool {
		all := seen.all()
		return !slices.ContainsFunc(accepted, func(id string) bool { return !slices.Contains(all, id) })
	}, "all that was accepted is handled")
	var firsts []string // without what came again
	for _, id := range seen.all() {
		if slices.Contains(accepted, id) && !slices.Contains(firsts, id) {
			firsts = append(firsts, id)
		}
	}
	require.Equal(t, accepted, firsts)
}
