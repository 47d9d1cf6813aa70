package notify_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

func reject(context.Context, notify.Event[paid]) error { return notify.Permanent(errHandler) }

func formerly(name string) func(*notify.Observer) {
	return func(o *notify.Observer) { o.FormerName = name }
}

// A renamed observer's dead letters are still its own, whichever name they
// are kept under, and in one order.
func TestDeadLettersOfARenamedObserver(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		notify.On(b.Notifier, "old", reject)
		notify.On(b.Notifier, "other", reject)
		b.run()
		for i := range 3 {
			b.pay(strconv.Itoa(i), "n"+strconv.Itoa(i))
		}
		time.Sleep(time.Second)
		var handled seen[paid]
		broken := true
		notify.On(b.Notifier, "new", func(ctx context.Context, e notify.Event[paid]) error {
			if broken {
				return reject(ctx, e)
			}
			return handled.handle(ctx, e)
		}, formerly("old"))
		time.Sleep(time.Second)
		b.pay("3", "n3")
		time.Sleep(time.Second)

		all := b.letters("new")
		require.Len(t, all, 4)
		for i, letter := range all {
			require.Equal(t, paid{Order: strconv.Itoa(i)}, letter.Event.Data)
			require.Equal(t, "new", letter.Observer, "the name that Redrive knows")
		}
		require.Len(t, b.letters(""), 8)
		var paged []notify.DeadLetter
		for after := ""; ; after = paged[len(paged)-1].ID {
			page, err := b.DeadLetters(b.ctx, "new", after, 1)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			require.Len(t, page, 1)
			paged = append(paged, page...)
		}
		require.Equal(t, all, paged)

		broken = false
		n, err := b.Redrive(b.ctx, "new", all[1].ID, all[3].ID)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Len(t, b.letters("new"), 2)
		n, err = b.Redrive(b.ctx, "new")
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Empty(t, b.letters("new"))
		require.Len(t, b.letters("other"), 4)
	})
}

// Another observer that takes the former name has its letters to itself.
func TestDeadLettersUnderANameThatIsUsedAgain(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		notify.On(b.Notifier, "new", func(context.Context, notify.Event[paid]) error { return nil }, formerly("old"))
		notify.On(b.Notifier, "old", reject)
		b.run()
		b.pay("1", "n1")
		time.Sleep(time.Second)
		require.Empty(t, b.letters("new"))
		require.Len(t, b.letters("old"), 1)
		require.Equal(t, "old", b.letters("")[0].Observer)
		n, err := b.Redrive(b.ctx, "new")
		require.NoError(t, err)
		require.Zero(t, n)
		require.Len(t, b.letters("old"), 1)
	})
}

// What Redrive handles shows that the observer, and the notification, can be
// handled again.
func TestRedriveEndsAPause(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		broken := true
		notify.On(b.Notifier, "o", func(context.Context, notify.Event[paid]) error {
			if broken {
				return errHandler
			}
			return nil
		}, func(o *notify.Observer) { o.Retry = notify.Retry{Attempts: 2, Backoff: every(time.Second)} })
		b.run()
		for n := range 20 {
			b.pay("1", "n"+strconv.Itoa(n))
		}
		time.Sleep(2 * time.Second)
		require.True(t, b.stats("o").Paused)

		broken = false
		first := b.letters("o")[0]
		n, err := b.Redrive(b.ctx, "o", first.ID)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.False(t, b.stats("o").Paused)

		broken = true
		b.pay("2", first.Event.NotificationID)
		time.Sleep(2 * time.Second)
		letters := b.letters("o")
		require.Equal(t, 2, letters[len(letters)-1].Attempts, "it has all its attempts again")
	})
}
