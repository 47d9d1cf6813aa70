package e2e_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

// A program in two versions on one backend: the new one has a channel, an event
// and a form of work that the old one does not know.

// Fax is the new version's channel.
type Fax struct {
	Number string `json:"number"`
	Text   string `json:"text"`
}

// Channel implements [notify.Message].
func (Fax) Channel() notify.Channel { return "fax" }

// CouponUsed is the new version's event.
type CouponUsed struct {
	Code string `json:"code"`
}

// version is a Notifier that runs.
type version struct {
	*notify.Notifier
	t     *testing.T
	ended chan error

	mu    sync.Mutex // guards the following
	seen  []notify.Event[any]
	faxes []string // the notifications that were faxed
}

func startVersion(t *testing.T, shared notify.Backend, isNew bool) *version {
	t.Helper()
	n, err := notify.New(notify.Config{
		Backend: shared, KeepBackend: true, Source: "test", Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	v := &version{Notifier: n, t: t, ended: make(chan error, 1)}
	observer := "old"
	notify.Use(n, notify.Provider[notify.Email](mailer{}))
	if isNew {
		observer = "new"
		notify.Use(n, notify.Provider[Fax](faxer{v}))
		notify.Render(n, func(_ context.Context, r notify.RenderRequest) (Fax, error) {
			return Fax{Number: r.Address, Text: r.Content.Body}, nil
		})
		notify.RegisterEvent[CouponUsed](n, "shop.coupon_used.v1")
	}
	notify.On(n, observer, func(_ context.Context, e notify.Event[any]) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.seen = append(v.seen, e)
		return nil
	})
	go func() { v.ended <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	return v
}

func (v *version) stop() {
	v.t.Helper()
	require.NoError(v.t, v.Close(context.Background()))
	require.NoError(v.t, <-v.ended)
}

// saw tells whether its observer has seen such an event.
func (v *version) saw(is func(notify.Event[any]) bool) func() bool {
	return func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, e := range v.seen {
			if is(e) {
				return true
			}
		}
		return false
	}
}

type mailer struct{}

func (mailer) Name() string { return "mail" }

func (mailer) Send(context.Context, notify.Delivery[notify.Email]) (notify.Receipt, error) {
	return notify.Receipt{}, nil
}

type faxer struct{ v *version }

func (faxer) Name() string { return "fax" }

func (f faxer) Send(_ context.Context, d notify.Delivery[Fax]) (notify.Receipt, error) {
	f.v.mu.Lock()
	defer f.v.mu.Unlock()
	f.v.faxes = append(f.v.faxes, d.NotificationID)
	return notify.Receipt{}, nil
}

// faxed are the notifications that went out by fax.
func (v *version) faxed() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.faxes)
}

func to(channels ...notify.Channel) notify.Notification {
	addresses := map[notify.Channel]string{}
	var steps []notify.Step
	for _, c := range channels {
		steps = append(steps, c)
		addresses[c] = "+493012345"
		if c == notify.EmailChannel {
			addresses[c] = "ann@example.com"
		}
	}
	return notify.Notification{
		To: notify.Recipient{ID: "u1", Addresses: addresses}, Content: notify.Content{Title: "Hello", Body: "Hello"},
		Route: notify.First(steps...),
	}
}

func openShared(t *testing.T) *sqlite.Backend {
	t.Helper()
	b := sqlite.Open(filepath.Join(t.TempDir(), "notify.db"), func(c *sqlite.Config) { c.MaxParkedPerKey, c.MaxParked = 5, 20 })
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

const patience = time.Minute

// keepsRoute is a backend whose Notifier routes nothing until it is released.
type keepsRoute struct {
	*sqlite.Backend
	released chan struct{}
}

func (k keepsRoute) Consume(ctx context.Context, c backend.Consumption) error {
	if c.Topic == "notify.route" {
		select {
		case <-k.released:
		case <-ctx.Done():
			return nil
		}
	}
	return k.Backend.Consume(ctx, c)
}

// What the new version sends on its channel is not turned down by the old one,
// which happens to route it.
func TestAChannelThatTheOldVersionDoesNotKnow(t *testing.T) {
	t.Parallel()
	shared := openShared(t)
	older := startVersion(t, shared, false)
	newer := startVersion(t, keepsRoute{shared, make(chan struct{})}, true)
	faxed, err := newer.Send(t.Context(), to("fax"))
	require.NoError(t, err)
	either, err := newer.Send(t.Context(), to("fax", notify.EmailChannel))
	require.NoError(t, err)
	mailed, err := newer.Send(t.Context(), to(notify.EmailChannel))
	require.NoError(t, err)
	status, err := older.Wait(t.Context(), mailed)
	require.NoError(t, err)
	require.Equal(t, notify.StateSent, status.State, "the old version goes on with what it knows")
	require.NoError(t, shared.CatchUp(t.Context(), "notify.route", "notify"), "the old version has put it back")

	newer.stop()
	older.stop()
	newer = startVersion(t, shared, true)
	for _, id := range []string{faxed, either} {
		status, err := newer.Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateSent, status.State)
		require.Contains(t, newer.faxed(), id)
	}
	newer.stop()
}

// An event of the new version reaches the old one's observers as it is.
func TestAnEventThatTheOldVersionDoesNotKnow(t *testing.T) {
	t.Parallel()
	shared := openShared(t)
	older, newer := startVersion(t, shared, false), startVersion(t, shared, true)
	_, err := notify.Emit(t.Context(), newer.Notifier, CouponUsed{Code: "XMAS"})
	require.NoError(t, err)
	require.Eventually(t, newer.saw(func(e notify.Event[any]) bool {
		coupon, ok := e.Data.(CouponUsed)
		return ok && coupon.Code == "XMAS"
	}), patience, time.Millisecond)
	require.Eventually(t, older.saw(func(e notify.Event[any]) bool {
		raw, ok := e.Data.(notify.Raw)
		return ok && e.Type == "shop.coupon_used.v1" && string(raw) == `{"code":"XMAS"}`
	}), patience, time.Millisecond)
	older.stop()
	newer.stop()
	letters, err := shared.Letters(t.Context(), "", "", 10)
	require.NoError(t, err)
	require.Empty(t, letters)
}

// Work in a form of the new version is kept for it as long as only the old one is
// there, which goes on with other work: however much there is.
func TestWorkThatTheOldVersionDoesNotKnow(t *testing.T) {
	t.Parallel()
	shared := openShared(t)
	older := startVersion(t, shared, false)
	const payload = `{"v":2,"id":"n-1","plan":"of a later version"}`
	publisher, err := shared.Publisher()
	require.NoError(t, err)
	topics := []string{"notify.route", "notify.deliver.email.normal"}
	want := map[string]bool{}
	for _, topic := range topics {
		for n := range 100 {
			m := message.NewMessage(topic+"/"+strconv.Itoa(n), []byte(payload))
			m.Metadata[backend.KeyMetadata] = "n-" + strconv.Itoa(n%3*n) // a third of one key
			want[m.UUID] = true
			require.NoError(t, publisher.Publish(topic, m))
		}
	}
	id, err := older.Send(t.Context(), to(notify.EmailChannel))
	require.NoError(t, err)
	wait, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	status, err := older.Wait(wait, id)
	require.NoError(t, err)
	require.Equal(t, notify.StateSent, status.State)
	for _, topic := range topics {
		require.NoError(t, shared.CatchUp(wait, topic, "notify"))
	}
	older.stop()

	letters, err := shared.Letters(t.Context(), "", "", 10)
	require.NoError(t, err)
	require.Empty(t, letters)
	got := map[string]bool{}
	var mu sync.Mutex
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var members sync.WaitGroup
	for _, topic := range topics {
		members.Go(func() {
			err := shared.Consume(ctx, backend.Consumption{
				Topic: topic, Group: "notify",
				Handle: func(_ context.Context, b *backend.Batch) (done int, err error) {
					mu.Lock()
					defer mu.Unlock()
					for ; b.Next(); done++ {
						if got[b.Message().UUID] = string(b.Message().Payload) == payload; len(got) == len(want) {
							cancel()
						}
					}
					return done, nil
				},
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	members.Wait()
	require.Equal(t, want, got, "the new version finds all of it")
}
