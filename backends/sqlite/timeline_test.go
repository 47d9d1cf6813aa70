package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinetest"
	"github.com/seed-6c01d079/notify/notifytest"
)

// codec is a Notifier that does not run.
func codec(t testing.TB) *notify.Notifier {
	t.Helper()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close(context.Background())) })
	return n
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	timelinetest.TestStore(t, func(t *testing.T) timeline.Store {
		ages := func(c *sqlite.Config) { c.TimelineFor = 100 * 365 * 24 * time.Hour }
		return open(t, path(t), ages).Timeline(codec(t))
	})
}

func TestTheTimelineOfARunningNotifier(t *testing.T) {
	t.Parallel()
	file := path(t)
	back := sqlite.Open(file)
	n, err := notify.New(notify.Config{Backend: back})
	require.NoError(t, err)
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	store := back.Timeline(n)
	n.Attach(timeline.New(store))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	id, err := n.Send(t.Context(), toAnna(""))
	require.NoError(t, err)
	status := settles(t, n, id)
	var entry timeline.Entry
	eventually(t, func() bool {
		entry, err = store.Get(t.Context(), id)
		return err == nil && entry.Status.Settled
	}, "the timeline knows that it settled")
	require.Equal(t, status, entry.Status)
	require.NoError(t, n.Close(t.Context()))
	require.NoError(t, <-ended)

	again, err := open(t, file).Timeline(codec(t)).Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, entry, again)
}

// some are events of a notification that happened then.
func some(id string, at time.Time, opened int) (events []notify.Event[any]) {
	add := func(name string, data any) {
		events = append(events, notify.Event[any]{Envelope: notify.Envelope{
			ID: fmt.Sprint(id, "/", len(events)), Type: "notify." + name + ".v1", Source: "notify", NotificationID: id, Time: at, Seen: at,
		}, Data: data})
	}
	add("accepted", notify.Accepted{Route: notify.First(notify.EmailChannel)})
	for range opened {
		add("opened", notify.Opened{})
	}
	add("settled", notify.Settled{State: notify.StateSent})
	return events
}

func TestATimelineLeavesOutWhatChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, path(t), func(c *sqlite.Config) { c.MaxTimelineEvents = 5 }).Timeline(codec(t))
	events := some("n_1", time.Now(), 20)
	for _, e := range events {
		require.NoError(t, s.Add(t.Context(), e))
	}
	entry, err := s.Get(t.Context(), "n_1")
	require.NoError(t, err)
	require.True(t, entry.Truncated)
	require.Len(t, entry.Events, 6)
	require.True(t, entry.Status.Settled)
}

func TestATimelineForgets(t *testing.T) {
	t.Parallel()
	b := open(t, path(t), func(c *sqlite.Config) { c.TimelineFor, c.MaxTimeline = time.Hour, 10 })
	s := b.Timeline(codec(t))
	now := time.Now()
	add := func(id string, at time.Time) {
		for _, e := range some(id, at, 0) {
			require.NoError(t, s.Add(t.Context(), e))
		}
	}
	for i := range 5 {
		add(fmt.Sprint("old_", i), now.Add(-2*time.Hour))
	}
	for i := range 13 {
		add(fmt.Sprintf("new_%02d", i), now.Add(time.Duration(i)*time.Second))
	}
	require.NoError(t, sqlite.Sweep(b, now))
	page, err := s.List(t.Context(), timeline.Query{})
	require.NoError(t, err)
	require.Len(t, page.Entries, 10)
	require.Equal(t, "new_12", page.Entries[0].Status.NotificationID)
	require.Equal(t, "new_03", page.Entries[9].Status.NotificationID)
}

// What was erased is nowhere in the file, but for the IDs of its notifications,
// which are forgotten in their time.
func TestWhatATimelineErasesIsOverwritten(t *testing.T) {
	t.Parallel()
	const canary = "CANARY_4711"
	file := path(t)
	b := open(t, file, func(c *sqlite.Config) { c.TimelineFor, c.MaxTimeline = time.Hour, 50 })
	s := b.Timeline(codec(t))
	now := time.Now()
	for i := range 60 {
		for j, e := range some(fmt.Sprint("n_", i), now, 20) {
			e.RecipientID = canary
			e.Labels = map[string]string{"name": canary, "long": strings.Repeat("x", 100)}
			if i%2 == 1 {
				e.RecipientID, e.Labels = "u_1", nil
			}
			if j == 3 {
				e.Data = notify.Opened{Engagement: notify.Engagement{Attempt: notify.Attempt{Provider: strings.Repeat(canary, 2000)}}}
			}
			if i%2 == 0 || j != 3 {
				require.NoError(t, s.Add(t.Context(), e))
			}
		}
	}
	require.Positive(t, occurrences(t, file, canary))
	erased, err := s.Erase(t.Context(), "", canary)
	require.NoError(t, err)
	require.Equal(t, 30, erased)
	require.Zero(t, occurrences(t, file, canary))
	require.Positive(t, occurrences(t, file, "n_58"))

	names := func() []string { return texts(t, file, "SELECT name FROM timeline_erased") }
	require.Len(t, names(), 31)
	require.NoError(t, sqlite.Sweep(b, now.Add(59*time.Minute)))
	require.Len(t, names(), 31)
	for i := range 30 {
		_, err := s.Erase(t.Context(), "", fmt.Sprint("u_", i))
		require.NoError(t, err)
	}
	require.Len(t, names(), 31+30+30)
	require.NoError(t, sqlite.Sweep(b, now.Add(59*time.Minute)))
	require.Len(t, names(), 50)
	require.NoError(t, b.Close())
	b = open(t, file, func(c *sqlite.Config) { c.TimelineFor = time.Hour })
	again := some("n_0", now, 0)[0]
	again.RecipientID = "u_29"
	require.NoError(t, b.Timeline(codec(t)).Add(t.Context(), again))
	require.Empty(t, texts(t, file, "SELECT notification FROM timeline"), "it is remembered across restarts")
	require.NoError(t, sqlite.Sweep(b, now.Add(2*time.Hour)))
	require.Empty(t, names())
}

// occurrences counts the text in the database and its log.
func occurrences(t *testing.T, file, what string) (n int) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(file + suffix)
		require.NoError(t, err)
		n += bytes.Count(data, []byte(what))
	}
	return n
}

// Without the ring's key nothing of a content can be found: not in the file, not
// in the log of the program, and not in an event. With it, it can be read, until it
// is erased: then the sealed bytes are gone, too.
func TestContentsAreSealedInTheFile(t *testing.T) {
	t.Parallel()
	const canary, key = "CANARY_4711", "0123456789abcdef0123456789abcdef"
	file := path(t)
	store := open(t, file).Timeline(codec(t)) // apart from the work, which holds contents in clear
	ring, err := timeline.NewKeyRing("k/1", map[string][]byte{"k/1": []byte(key)})
	require.NoError(t, err)
	contents := timeline.NewContents(store, ring)

	var mu sync.Mutex
	var sinks bytes.Buffer
	n, err := notify.New(notify.Config{Logger: slog.New(slog.NewTextHandler(&locked{mu: &mu, w: &sinks}, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	mail := notifytest.NewProvider[notify.Email]("mail")
	notify.Use(n, mail)
	n.Attach(timeline.New(store), contents)
	notify.On(n, "spy", func(_ context.Context, e notify.Event[any]) error {
		m, err := n.Encode(e)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(&sinks, m.Metadata, string(m.Payload))
		return nil
	})
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	nt := toAnna("")
	nt.Key, nt.Content.Title, nt.Content.Body = "", canary, canary
	id, err := n.Send(t.Context(), nt)
	require.NoError(t, err)
	settles(t, n, id)
	require.NoError(t, n.Handled(t.Context(), id, "timeline", "spy"))
	require.NoError(t, n.Close(t.Context()))
	require.NoError(t, <-ended)

	require.Equal(t, canary, mail.Calls()[0].Message.Subject)
	require.Positive(t, occurrences(t, file, id))
	mu.Lock()
	require.Contains(t, sinks.String(), id)
	for _, secret := range []string{canary, key, "anna@"} {
		require.Zero(t, occurrences(t, file, secret), secret)
		require.NotContains(t, sinks.String(), secret)
	}
	mu.Unlock()
	got, err := contents.Get(t.Context(), id)
	require.NoError(t, err)
	require.Contains(t, string(got[0].Message), canary)

	all, err := store.(timeline.ContentStore).Contents(t.Context(), id)
	require.NoError(t, err)
	there := func(sealed []byte) int { return occurrences(t, file, string(sealed)) }
	require.Positive(t, there(all[0].WrappedKey))
	require.Positive(t, there(all[0].Ciphertext))
	erased, err := store.Erase(t.Context(), nt.Tenant, nt.To.ID)
	require.NoError(t, err)
	require.Equal(t, 1, erased)
	require.Zero(t, there(all[0].WrappedKey))
	require.Zero(t, there(all[0].Ciphertext))
}

// What is too old or too many goes.
func TestContentsAreForgotten(t *testing.T) {
	t.Parallel()
	b := open(t, path(t), func(c *sqlite.Config) { c.TimelineFor, c.MaxTimeline = time.Hour, 10 })
	s := b.Timeline(codec(t)).(timeline.ContentStore)
	now := time.Now()
	for i := range 15 {
		require.NoError(t, s.PutContent(t.Context(), timeline.Sealed{
			NotificationID: fmt.Sprintf("n_%02d", i), Leg: 1, At: now.Add(time.Duration(i) * time.Minute),
			KeyID: "k", WrappedKey: []byte("k"), Ciphertext: []byte("c"),
		}))
	}
	left := func() (n int) {
		for i := range 15 {
			all, err := s.Contents(t.Context(), fmt.Sprintf("n_%02d", i))
			require.NoError(t, err)
			n += len(all)
		}
		return n
	}
	require.Equal(t, 15, left())
	require.NoError(t, sqlite.Sweep(b, now))
	require.Equal(t, 10, left())
	require.NoError(t, sqlite.Sweep(b, now.Add(time.Hour+10*time.Minute+time.Second)))
	require.Equal(t, 4, left())
}

// locked is a writer for several goroutines.
type locked struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// leaving is a codec whose caller leaves in the middle of a read.
type leaving struct {
	sqlite.Codec
	decoded *int
	leave   func()
}

func (l leaving) Decode(m *message.Message) (notify.Event[any], error) {
	*l.decoded++
	l.leave()
	return l.Codec.Decode(m)
}

// Who leaves is not read for any longer.
func TestAReadOfATimelineEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	paid := func(id string) notify.Event[any] {
		at := now().UTC()
		return notify.Event[any]{
			Envelope: notify.Envelope{ID: id, Type: "shop.paid.v1", Source: "/test", NotificationID: "n", Time: at, Seen: at},
			Data:     notify.Raw(`{}`),
		}
	}
	for i := range 50 {
		require.NoError(t, b.Timeline(codec(t)).Add(t.Context(), paid(fmt.Sprint(i))))
	}
	for name, read := range map[string]func(context.Context, timeline.Store) error{
		"get":  func(ctx context.Context, s timeline.Store) error { _, err := s.Get(ctx, "n"); return err },
		"list": func(ctx context.Context, s timeline.Store) error { _, err := s.List(ctx, timeline.Query{}); return err },
		"add": func(ctx context.Context, s timeline.Store) error {
			return s.Add(ctx, paid("more"))
		},
	} {
		ctx, leave := context.WithCancel(t.Context())
		decoded := 0
		require.ErrorIs(t, read(ctx, b.Timeline(leaving{codec(t), &decoded, leave})), context.Canceled, name)
		require.Equal(t, 1, decoded, name)
	}
}

// changed is a codec of a host that has changed what its events are.
type changed struct{ sqlite.Codec }

func (c changed) Decode(m *message.Message) (notify.Event[any], error) {
	if m.UUID == "n0/accepted" || m.UUID == "n0/paid" {
		return notify.Event[any]{}, errors.New("it does not decode")
	}
	return c.Codec.Decode(m)
}

// What does not decode any more spoils no list.
func TestAListWithAnEventThatDoesNotDecode(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	at := now().UTC()
	for i, id := range []string{"n2", "n0", "n1"} {
		accepted := at.Add(-time.Duration(i) * time.Minute)
		for kind, data := range map[string]any{"notify.accepted.v1": notify.Accepted{}, "shop.paid.v1": notify.Raw(`{}`)} {
			require.NoError(t, b.Timeline(codec(t)).Add(t.Context(), notify.Event[any]{
				Envelope: notify.Envelope{
					ID: id + "/" + strings.Split(kind, ".")[1], Type: kind, Source: "/test", NotificationID: id, Time: accepted, Seen: accepted,
				},
				Data: data,
			}))
		}
	}
	spoiled := b.Timeline(changed{codec(t)})
	var got []string
	for next := ""; len(got) == 0 || next != ""; {
		page, err := spoiled.List(t.Context(), timeline.Query{Limit: 1, After: next})
		require.NoError(t, err)
		require.Len(t, page.Entries, 1)
		e := page.Entries[0]
		require.Equal(t, e.Status.NotificationID == "n0", e.Truncated)
		require.Equal(t, at.Add(-time.Duration(len(got))*time.Minute), e.At)
		got, next = append(got, e.Status.NotificationID), page.Next
	}
	require.Equal(t, []string{"n2", "n0", "n1"}, got)
	_, err := spoiled.Get(t.Context(), "n0")
	require.ErrorContains(t, err, "it does not decode")
}
