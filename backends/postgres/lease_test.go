package postgres_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
)

// short has leases end within a test, and not while a busy machine does
// something else.
func short(c *postgres.Config) {
	c.Lease, c.Poll = 3*time.Second, 20*time.Millisecond
}

// order is what the handlers of all processes saw: each key one at a time, in
// order, and none left out. A message may come again.
type order struct {
	mu       sync.Mutex
	next     map[string]int
	handling map[string]bool
	wrong    []string
	by       map[string]map[string]int // messages by process and key
}

func newOrder() *order {
	return &order{next: map[string]int{}, handling: map[string]bool{}, by: map[string]map[string]int{}}
}

// of is how many messages the process got.
func (o *order) of(process string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, some := range o.by[process] {
		n += some
	}
	return n
}

func (o *order) handle(process string, work time.Duration) func(context.Context, *backend.Batch) (int, error) {
	return each(func(m *message.Message, _ int) error {
		key := backend.Key(m)
		n, _ := strconv.Atoi(string(m.Payload))
		o.mu.Lock()
		if o.handling[key] {
			o.wrong = append(o.wrong, key+": two at a time")
		}
		if n > o.next[key] {
			o.wrong = append(o.wrong, fmt.Sprintf("%s: got %d, want %d", key, n, o.next[key]))
		}
		o.handling[key] = true
		o.mu.Unlock()
		if work > 0 {
			time.Sleep(work)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.handling[key] = false
		o.next[key] = max(o.next[key], n+1)
		if o.by[process] == nil {
			o.by[process] = map[string]int{}
		}
		o.by[process][key]++
		return nil
	})
}

// Processes come and go while messages flow: each message is handled in the order
// of its key, and every process has a share. A few come again when a process
// leaves: those that were finished behind one that was not.
func TestProcessesShareAGroup(t *testing.T) {
	t.Parallel()
	const keys, more = 40, 10
	named := schema(t)
	long := func(c *postgres.Config) { c.Lease, c.Poll = 5*time.Second, 20*time.Millisecond }
	publisher := open(t, named, long)
	require.NoError(t, publisher.Fix(t.Context(), "t", "g", backend.FromOldest()))
	seen := newOrder()
	begin := func(process string) func() {
		b := postgres.New(dsn, named, long)
		leave := consume(t, b, backend.Consumption{Topic: "t", Group: "g", Concurrency: 4, Handle: seen.handle(process, time.Millisecond)})
		return sync.OnceFunc(func() {
			leave()
			require.NoError(t, b.Close())
		})
	}
	rounds := 0
	publishRound := func() {
		for k := range keys {
			publish(t, publisher, "t", of(strconv.Itoa(k), rounds))
		}
		rounds++
	}
	share := func(process string) {
		eventually(t, func() bool { publishRound(); return seen.of(process) > 0 }, process+" has a share")
	}
	one, two := begin("one"), begin("two")
	defer one()
	defer two()
	share("one")
	share("two")
	three := begin("three")
	defer three()
	share("three")
	for n := range more {
		if publishRound(); n == more/3 {
			one() // leaves in order
		}
	}
	caughtUp(t, publisher, "t", "g")
	seen.mu.Lock()
	defer seen.mu.Unlock()
	require.Empty(t, seen.wrong)
	for k := range keys {
		require.Equal(t, rounds, seen.next[strconv.Itoa(k)])
	}
	require.Len(t, seen.by, 3, "every process had some")
}

// passed is the position of the partition that the key "k" is in.
func passed(t *testing.T, conn *pgx.Conn, schema string) (n int64) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), "select p.passed from "+schema+".position p join "+schema+".message m on m.topic = p.topic and m.partition = p.partition where m.uuid = 'k/0'").Scan(&n))
	return n
}

// A process is frozen past its lease, with a message in hand, until another has
// taken over and finished everything. Then it takes part again.
func TestAFrozenProcessLosesItsPartitions(t *testing.T) {
	t.Parallel()
	named := schema(t)
	var c postgres.Config
	named(&c)
	two := open(t, named, short)
	require.NoError(t, two.Fix(t.Context(), "t", "g", backend.FromOldest()))
	one := spawn(t, c.Schema)
	publish(t, two, "t", of("k", 0), of("k", 1))
	caughtUp(t, two, "t", "g")
	publish(t, two, "t", hold(of("k", 2)), of("k", 3))
	eventually(t, func() bool { return slices.Contains(one.all(), "k/2") }, "it has the message in hand")
	one.signal(t, syscall.SIGSTOP)

	var second got
	consume(t, two, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(m *message.Message, _ int) error {
		second.add(m.UUID)
		return nil
	})})
	for n := 4; n < 8; n++ {
		publish(t, two, "t", of("k", n))
	}
	caughtUp(t, two, "t", "g")
	require.Equal(t, []string{"k/2", "k/3", "k/4", "k/5", "k/6", "k/7"}, second.all())

	_, err := one.input.Write([]byte("go on\n"))
	require.NoError(t, err)
	one.signal(t, syscall.SIGCONT)
	takesPart := func() bool {
		return slices.ContainsFunc(one.all(), func(id string) bool { return strings.HasPrefix(id, "x") })
	}
	eventually(t, func() bool {
		publish(t, two, "t", of("x"+rand.Text(), 0))
		return takesPart()
	}, "it takes part again")
	require.Equal(t, []string{"k/0", "k/1", "k/2"}, one.handled("k"), "nothing more is handed out after the lease")
	caughtUp(t, two, "t", "g")
}

// overtaken has a process, which does not notice that its lease has ended,
// finish a message after another process has taken over and finished it and more.
// It returns where the position goes, once the first has written.
func overtaken(t *testing.T, opts ...func(*postgres.Config)) int64 {
	named := schema(t)
	var c postgres.Config
	named(&c)
	one := open(t, append(opts, named, short, postgres.Deaf)...)
	require.NoError(t, one.Fix(t.Context(), "t", "g", backend.FromOldest()))
	holds, release, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	consume(t, one, backend.Consumption{Topic: "t", Group: "g", MaxBatch: 1, Handle: each(func(m *message.Message, _ int) error {
		switch m.UUID {
		case "k/1":
			close(holds)
			<-release
		case "k/2":
			<-over // so that it does not catch up
		}
		return nil
	})})
	t.Cleanup(func() { close(over) })
	publish(t, one, "t", of("k", 0), of("k", 1))
	<-holds
	two := open(t, named, short)
	leave := consume(t, two, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(*message.Message, int) error { return nil })})
	for n := 2; n < 8; n++ {
		publish(t, two, "t", of("k", n))
	}
	caughtUp(t, two, "t", "g")
	leave() // so that it does not write again
	conn := connect(t)
	before := postgres.Held(one, "t", "g")
	close(release)
	eventually(t, func() bool {
		return postgres.Held(one, "t", "g") < before || passed(t, conn, c.Schema) < 8
	}, "it has written")
	return passed(t, conn, c.Schema)
}

func TestAnEndedLeaseCannotMoveThePosition(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, 8, overtaken(t))
}

// The control: the position moves back if the statement does not ask for the
// lease.
func TestWithoutTheFenceThePositionMovesBack(t *testing.T) {
	t.Parallel()
	require.Less(t, overtaken(t, postgres.Unfenced), int64(8))
}

// What a process that was killed held goes to others when its leases end.
func TestAKilledProcessLosesItsPartitions(t *testing.T) {
	t.Parallel()
	named := schema(t)
	var c postgres.Config
	named(&c)
	two := open(t, named, short)
	require.NoError(t, two.Fix(t.Context(), "t", "g", backend.FromOldest()))
	one := spawn(t, c.Schema)
	publish(t, two, "t", hold(of("k", 0)), of("k", 1))
	eventually(t, func() bool { return slices.Contains(one.all(), "k/0") }, "it has the message in hand")
	one.signal(t, syscall.SIGKILL)
	var second got
	consume(t, two, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(m *message.Message, _ int) error {
		second.add(m.UUID)
		return nil
	})})
	caughtUp(t, two, "t", "g")
	require.Equal(t, []string{"k/0", "k/1"}, second.all())
}

// Forgetting a group takes its rows in another order than those do who use them:
// when they wait for each other, it is done again.
func TestForgetIsDoneAgainAfterADeadlock(t *testing.T) {
	t.Parallel()
	named := schema(t)
	b := open(t, named)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	holder := connect(t)
	_, _ = holder.Exec(t.Context(), "set deadlock_timeout = '1min'") // so that Forget is what is undone; only a superuser may
	tx, err := holder.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select from "+schemaOf(named)+".position for update")
	require.NoError(t, err)
	forgotten := make(chan error, 1)
	go func() { forgotten <- b.Forget(t.Context(), "t", "g") }()
	conn := connect(t)
	eventually(t, func() bool {
		var waits bool
		require.NoError(t, conn.QueryRow(t.Context(), "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query like '%'||$1||'%consumer%')", schemaOf(named)).Scan(&waits))
		return waits
	}, "it waits for a position")
	_, err = tx.Exec(t.Context(), "select from "+schemaOf(named)+".consumer for key share")
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-forgotten)
	_, err = b.Lag(t.Context(), "t", "g")
	require.ErrorIs(t, err, backend.ErrNotFound)
}
