package memory_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

func TestPublishAtKeepsTimeAndOrder(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		type arrival struct {
			n  int
			at time.Duration
		}
		begun := time.Now()
		var got []arrival
		leave := consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(e *event, _ int) error {
			got = append(got, arrival{e.n, time.Since(begun)})
			return nil
		})})
		at := func(d time.Duration, ns ...int) {
			var ms []*message.Message
			for _, n := range ns {
				ms = append(ms, local("k", n))
			}
			require.NoError(t, b.PublishAt(t.Context(), begun.Add(d), "t", ms...))
		}
		at(3*time.Hour, 5)
		at(time.Hour, 1, 2)
		at(2*time.Hour, 4)
		at(time.Hour, 3)
		at(-time.Hour, 0) // a time that has passed is now
		time.Sleep(4 * time.Hour)
		at(0, 6)
		synctest.Wait()
		leave()
		require.Equal(t, []arrival{
			{0, 0}, {1, time.Hour}, {2, time.Hour}, {3, time.Hour}, {4, 2 * time.Hour}, {5, 3 * time.Hour}, {6, 4 * time.Hour},
		}, got)
	})
}

func TestPublishAtRefusesAllBeyondItsCap(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		later := time.Now().Add(time.Hour)
		require.NoError(t, b.PublishAt(t.Context(), later, "t", local("k", 0), local("k", 1)))
		require.ErrorIs(t, b.PublishAt(t.Context(), later, "t", local("k", 2), local("k", 3)), backend.ErrOverloaded)
		require.NoError(t, b.PublishAt(t.Context(), later, "t", local("k", 2)))
		require.NoError(t, b.PublishAt(t.Context(), time.Now(), "u", local("k", 0)), "what is due needs no room")
		time.Sleep(2 * time.Hour)
		require.Equal(t, []int{0, 1, 2}, read(t, b, "t", "g"))
	}, func(c *memory.Config) { c.MaxDelayed = 3 })
}

func TestPublishAtCopiesWhatIsNotLocal(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		m := message.NewMessage("1", []byte("before"))
		require.NoError(t, b.PublishAt(t.Context(), time.Now().Add(time.Hour), "t", m))
		m.UUID = "changed"
		sub, err := b.Subscriber("g")
		require.NoError(t, err)
		channel, err := sub.Subscribe(t.Context(), "t")
		require.NoError(t, err)
		got := <-channel
		require.Equal(t, "1", got.UUID)
		got.Ack()
		require.NoError(t, sub.Close())
	})
}

func TestPublicationsAreChecked(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		require.ErrorContains(t, b.PublishAt(t.Context(), time.Now(), "", local("k", 0)), "topic is empty")
		require.ErrorContains(t, b.PublishAt(t.Context(), time.Now(), "t", nil), "message is missing")
		require.ErrorContains(t, publishLocal(b, "", local("k", 0)), "topic is empty")
		require.ErrorContains(t, b.PublishLocal(time.Now(), "t", nil), "nil")
		for i := range 3 {
			require.NoError(t, publishLocal(b, "t"+strconv.Itoa(i)), "none is fine")
		}
	})
}
