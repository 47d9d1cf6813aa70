package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinetest"
)

// codec is a Notifier that does not run.
func codec(t testing.TB) *notify.Notifier {
	t.Helper()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close(context.Background())) })
	return n
}

// records returns a store that is closed when the test ends.
func records(t testing.TB, opts ...func(*postgres.Config)) *postgres.Store {
	t.Helper()
	s := postgres.Records(dsn, opts...)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	timelinetest.TestStore(t, func(t *testing.T) timeline.Store {
		ages := func(c *postgres.Config) { c.TimelineFor = 100 * 365 * 24 * time.Hour }
		return records(t, schema(t), ages).Timeline(codec(t))
	})
}

func event(id string, at time.Time, number string, kind string, data any) notify.Event[any] {
	return notify.Event[any]{
		Envelope: notify.Envelope{ID: id + "/" + number, Type: kind, Source: "/test", NotificationID: id, Time: at.UTC(), Seen: at.UTC()},
		Data:     data,
	}
}

func TestATimelineForgets(t *testing.T) {
	t.Parallel()
	named := schema(t)
	s := records(t, named, func(c *postgres.Config) { c.TimelineFor = time.Hour })
	old := event("old", time.Now().Add(-2*time.Hour), "1", "notify.accepted.v1", notify.Accepted{})
	recent := event("recent", time.Now(), "1", "notify.accepted.v1", notify.Accepted{})
	require.NoError(t, s.Timeline(codec(t)).Add(t.Context(), old))
	again := s.Timeline(codec(t)) // which has not looked yet
	require.NoError(t, again.Add(t.Context(), recent))
	_, err := again.Get(t.Context(), "old")
	require.ErrorIs(t, err, notify.ErrNotFound)
	_, err = again.Get(t.Context(), "recent")
	require.NoError(t, err)
	require.NoError(t, again.Add(t.Context(), old))
	require.Equal(t, 2, count(t, named, "timeline"))
	page, err := s.Timeline(codec(t)).List(t.Context(), timeline.Query{}) // who only reads looks, too
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	require.Equal(t, 1, count(t, named, "timeline"))
}

// What was erased is remembered for as long as the timeline keeps notifications,
// and as many.
func TestATimelineForgetsWhatItErased(t *testing.T) {
	t.Parallel()
	named := schema(t)
	s := records(t, named, func(c *postgres.Config) { c.TimelineFor, c.MaxTimeline = time.Hour, 10 })
	look := func() int { // as one that has not looked yet
		_, err := s.Timeline(codec(t)).List(t.Context(), timeline.Query{})
		require.NoError(t, err)
		return count(t, named, "timeline_erased")
	}
	for i := range 15 {
		_, err := s.Timeline(codec(t)).Erase(t.Context(), "", fmt.Sprint("u_", i))
		require.NoError(t, err)
	}
	require.Equal(t, 15, count(t, named, "timeline_erased"))
	require.Equal(t, 10, look())
	_, err := connect(t).Exec(t.Context(), "update "+schemaOf(named)+".timeline_erased set at = at - interval '1 hour' where name = $1",
		timeline.RecipientHash("", "u_14"))
	require.NoError(t, err)
	require.Equal(t, 9, look())
}

// Beyond the cap the oldest go.
func TestATimelineHasACap(t *testing.T) {
	t.Parallel()
	named := schema(t)
	s := records(t, named, func(c *postgres.Config) { c.MaxTimeline = 10 })
	first := s.Timeline(codec(t))
	now := time.Now().Add(-time.Minute)
	add := func(to timeline.Store, n int) {
		require.NoError(t, to.Add(t.Context(), event(fmt.Sprintf("n%02d", n), now.Add(time.Duration(n)*time.Second), "1", "notify.accepted.v1", notify.Accepted{})))
	}
	for n := range 15 {
		add(first, n)
	}
	again := s.Timeline(codec(t)) // which has not looked yet
	add(again, 15)
	require.Equal(t, 11, count(t, named, "timeline"))
	_, err := again.Get(t.Context(), "n04")
	require.ErrorIs(t, err, notify.ErrNotFound)
	_, err = again.Get(t.Context(), "n05")
	require.NoError(t, err)
}

func TestATimelineKeepsTheLifecycle(t *testing.T) {
	t.Parallel()
	s := records(t, schema(t), func(c *postgres.Config) { c.MaxTimelineEvents = 3 }).Timeline(codec(t))
	now := time.Now()
	attempt := notify.Attempt{Leg: notify.Leg{Leg: 1, Channel: notify.EmailChannel}, Attempt: 1, Provider: "smtp"}
	require.NoError(t, s.Add(t.Context(), event("n", now, "accepted", "notify.accepted.v1", notify.Accepted{})))
	for _, n := range []string{"1", "2", "3"} {
		require.NoError(t, s.Add(t.Context(), event("n", now, n, "notify.opened.v1", notify.Opened{Engagement: notify.Engagement{Attempt: attempt}})))
	}
	require.NoError(t, s.Add(t.Context(), event("n", now, "sent", "notify.sent.v1", notify.Sent{Attempt: attempt})))
	entry, err := s.Get(t.Context(), "n")
	require.NoError(t, err)
	require.True(t, entry.Truncated)
	require.Len(t, entry.Events, 4)
	require.Equal(t, notify.StateSent, entry.Status.State)
}

// What is too old or too many goes.
func TestContentsAreForgotten(t *testing.T) {
	t.Parallel()
	named := schema(t)
	s := records(t, named, func(c *postgres.Config) { c.TimelineFor, c.MaxTimeline = time.Hour, 10 })
	put := func(n int, at time.Time) { // as one that has not looked yet
		require.NoError(t, s.Timeline(codec(t)).(timeline.ContentStore).PutContent(t.Context(), timeline.Sealed{
			NotificationID: fmt.Sprint("n_", n), Leg: 1, At: at, KeyID: "k", WrappedKey: []byte("k"), Ciphertext: []byte("c"),
		}))
	}
	now := time.Now()
	for n := range 15 {
		put(n, now.Add(time.Duration(n)*time.Second))
	}
	require.Equal(t, 11, count(t, named, "timeline_content"))
	put(15, now.Add(-2*time.Hour))
	_, err := s.Timeline(codec(t)).(timeline.ContentStore).Contents(t.Context(), "n_15")
	require.NoError(t, err)
	require.Equal(t, 10, count(t, named, "timeline_content"))
	put(16, now.Add(20*time.Second)) // another goes
	_, err = s.Timeline(codec(t)).(timeline.ContentStore).Contents(t.Context(), "n_16")
	require.NoError(t, err)
	require.Equal(t, 10, count(t, named, "timeline_content"))
	var locked int
	require.NoError(t, connect(t).QueryRow(t.Context(), "select count(*) from "+schemaOf(named)+".timeline_content where xmax <> 0").Scan(&locked))
	require.Zero(t, locked, "what stays is left alone")
}

// poisoned is a codec that panics over the events of one notification.
type poisoned struct{ postgres.Codec }

func (p poisoned) Decode(m *message.Message) (notify.Event[any], error) {
	if m.Metadata["ce_subject"] == "n0" {
		panic("s3cret")
	}
	return p.Codec.Decode(m)
}

// An entry that cannot be read keeps nobody else from adding, though they share
// transactions.
func TestOneEntryOfATimelineHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	s := records(t, schema(t)).Timeline(poisoned{codec(t)})
	at := time.Now()
	var adding sync.WaitGroup
	failed := make([]error, 40)
	for round := range 3 {
		for n := range failed {
			adding.Go(func() {
				failed[n] = s.Add(t.Context(), event(fmt.Sprint("n", n), at, fmt.Sprint(round), "notify.opened.v1", notify.Opened{}))
			})
		}
		adding.Wait()
		for n, err := range failed {
			if n == 0 && round > 0 {
				require.ErrorContains(t, err, "does not decode")
				require.NotContains(t, err.Error(), "s3cret")
				continue
			}
			require.NoError(t, err)
		}
	}
	for n := 1; n < len(failed); n++ {
		entry, err := s.Get(t.Context(), fmt.Sprint("n", n))
		require.NoError(t, err)
		require.Len(t, entry.Events, 3)
	}
}

// Who gives up does not wait, and what it wanted added is added, or not.
func TestAnAdditionThatIsGivenUp(t *testing.T) {
	t.Parallel()
	named := schema(t)
	s := records(t, named).Timeline(codec(t))
	one := event("n", time.Now(), "1", "notify.accepted.v1", notify.Accepted{})
	require.NoError(t, s.Add(t.Context(), one))
	tx, err := connect(t).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "select from "+schemaOf(named)+".timeline for update")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	two := event("n", time.Now(), "2", "notify.settled.v1", notify.Settled{})
	require.ErrorIs(t, s.Add(ctx, two), context.DeadlineExceeded)
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, s.Add(t.Context(), two))
	entry, err := s.Get(t.Context(), "n")
	require.NoError(t, err)
	require.Len(t, entry.Events, 2)
}

// What is too old goes, step by step, however much it is: also if there are more
// contents than notifications.
func TestATimelineForgetsAllThatIsOld(t *testing.T) {
	t.Parallel()
	requireForgets(t, 0, "2 hours", func(c *postgres.Config) { c.TimelineFor = time.Hour },
		"timeline_content (notification, leg, at, recipient, key_id, wrapped_key, content) select 'n_' || n, 0, at, '', '', '', ''",
		"timeline_erased (what, name, at) select 'notification', 'n_' || n, at")
}

// A cap that was lowered is reached.
func TestALoweredCapOfATimeline(t *testing.T) {
	t.Parallel()
	requireForgets(t, 10, "1 minute", func(c *postgres.Config) { c.MaxTimeline = 10 },
		"timeline (id, at, recipient, tenant, category, state, settled) select 'n_' || n, at, '', '', '', '', false")
}

func requireForgets(t *testing.T, kept int, age string, option func(*postgres.Config), tables ...string) {
	t.Helper()
	named := schema(t)
	s := records(t, named, option)
	_, err := s.Timeline(codec(t)).List(t.Context(), timeline.Query{}) // which makes the tables
	require.NoError(t, err)
	looks := s.Timeline(codec(t))
	conn := connect(t)
	for _, insert := range tables {
		_, err := conn.Exec(t.Context(), fmt.Sprintf("insert into %s.%s from generate_series(1, 12000) n, (select clock_timestamp() - interval '%s') a(at)",
			schemaOf(named), insert, age))
		require.NoError(t, err)
	}
	for uses, left := 0, -1; left != kept; uses++ {
		require.Less(t, uses, 50, "it is never done")
		_, err := looks.List(t.Context(), timeline.Query{})
		require.NoError(t, err)
		left = 0
		for _, insert := range tables {
			table, _, _ := strings.Cut(insert, " ")
			left += count(t, named, table)
		}
	}
}

// Several processes at the cap drop the surplus once.
func TestProcessesDropTheSurplusOnce(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"timeline", "timeline_content"} {
		named := schema(t)
		before := records(t, named).Timeline(codec(t))
		now := time.Now().Add(-time.Minute)
		for n := range 20 {
			id := fmt.Sprintf("n%02d", n)
			require.NoError(t, before.Add(t.Context(), event(id, now, "1", "notify.accepted.v1", notify.Accepted{})))
			c := timeline.Sealed{NotificationID: id, At: now, AcceptedAt: now, WrappedKey: []byte("k"), Ciphertext: []byte("c")}
			require.NoError(t, before.(timeline.ContentStore).PutContent(t.Context(), c))
		}
		tx, err := connect(t).Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "lock table "+schemaOf(named)+"."+table+" in share mode") // nobody deletes
		require.NoError(t, err)
		var running sync.WaitGroup
		var ended atomic.Int64
		const processes = 4
		for range processes {
			s := records(t, named, func(c *postgres.Config) { c.MaxTimeline = 10 }).Timeline(codec(t))
			running.Go(func() {
				defer ended.Add(1)
				if _, err := s.List(context.Background(), timeline.Query{}); err != nil {
					t.Errorf("List: %v", err)
				}
			})
		}
		conn := connect(t)
		eventually(t, func() bool {
			var waiting int64
			require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%'||$1||'%'", schemaOf(named)).Scan(&waiting))
			return waiting > 0 && waiting+ended.Load() == processes
		}, "they have counted")
		require.NoError(t, tx.Rollback(t.Context()))
		running.Wait()
		require.Equal(t, 10, count(t, named, table), table)
	}
}

// What does not decode any more spoils no list.
func TestAListWithAnEventThatDoesNotDecode(t *testing.T) {
	t.Parallel()
	s := records(t, schema(t))
	at := time.Now().UTC().Truncate(time.Microsecond)
	for i, id := range []string{"n2", "n0", "n1"} {
		accepted := at.Add(-time.Duration(i) * time.Minute)
		require.NoError(t, s.Timeline(codec(t)).Add(t.Context(), event(id, accepted, "accepted", "notify.accepted.v1", notify.Accepted{})))
		require.NoError(t, s.Timeline(codec(t)).Add(t.Context(), event(id, accepted.Add(time.Second), "paid", "shop.paid.v1", notify.Raw(`{}`))))
	}
	poisoned := s.Timeline(poisoned{codec(t)})
	var got []string
	for next := ""; len(got) == 0 || next != ""; {
		page, err := poisoned.List(t.Context(), timeline.Query{Limit: 1, After: next})
		require.NoError(t, err)
		require.Len(t, page.Entries, 1)
		e := page.Entries[0]
		require.Equal(t, e.Status.NotificationID == "n0", e.Truncated)
		require.Equal(t, at.Add(-time.Duration(len(got))*time.Minute), e.At)
		got, next = append(got, e.Status.NotificationID), page.Next
	}
	require.Equal(t, []string{"n2", "n0", "n1"}, got)
	_, err := poisoned.Get(t.Context(), "n0")
	require.ErrorContains(t, err, "does not decode")
}
