package notify_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// megabyte takes delayed messages of a megabyte at most, as a broker does.
type megabyte struct{ topicsOnly }

func (m megabyte) PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error {
	for _, m := range messages {
		if len(m.Payload) > 1_000_000 {
			return errors.New("message too large")
		}
	}
	return m.topicsOnly.PublishAt(ctx, at, topic, messages...)
}

// A message that cannot travel with its work would fail the step that has to
// pass it on, for ever: it ends its leg before it is sent.
func TestWithoutRecordsAMessageThatCannotTravel(t *testing.T) {
	t.Parallel()
	limited := form{"no records", func(b *memory.Backend) notify.Backend { return megabyte{withoutRecords(b)} }}
	for _, tc := range []struct {
		name  string
		text  string
		want  notify.State
		calls int
	}{
		{"fits", strings.Repeat("x", 800_000), notify.StateSent, 2},
		{"does not", strings.Repeat("x", 900_000), notify.StateFailed, 0},
		{"does not, since JSON escapes it", strings.Repeat("<", 200_000), notify.StateFailed, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				mail := notifytest.NewProvider[notify.Email]("mail")
				mail.Next(notifytest.FailTemporarily(notify.ClassOther, ""))
				notify.Use(b.Notifier, mail)
				notify.Render(b.Notifier, func(_ context.Context, r notify.RenderRequest) (notify.Email, error) {
					return notify.Email{To: r.Address, Subject: "Long", Text: tc.text}, nil
				})
				status, err := b.Notifier.Wait(t.Context(), b.Send(toAnna(notify.EmailChannel)))
				require.NoError(t, err)
				require.Equal(t, tc.want, status.State)
				require.Len(t, mail.Calls(), tc.calls)
			}, limited.config)
		})
	}
}
