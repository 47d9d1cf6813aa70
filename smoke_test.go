package notify_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

type fakeEmail struct{ fail int }

func (f *fakeEmail) Name() string { return "fake" }
func (f *fakeEmail) Send(ctx context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	if f.fail > 0 {
		f.fail--
		return notify.Receipt{}, &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassService, Code: "451"}
	}
	return notify.Receipt{MessageID: "m1"}, nil
}

func TestSmoke(t *testing.T) {
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	notify.Use(n, &fakeEmail{fail: 1}, func(c *notify.ProviderConfig) { c.Backoff = func(int) time.Duration { return 50 * time.Millisecond } })
	notify.On(n, "all", func(ctx context.Context, e notify.Event[any]) error {
		fmt.Printf("%s %T %+v\n", e.ID, e.Data, e.Data)
		return nil
	})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	go n.Run(ctx)
	require.NoError(t, n.Ready(ctx))
	id, err := n.Send(ctx, notify.Notification{
		To:      notify.Recipient{ID: "u", Addresses: map[notify.Channel]string{notify.EmailChannel: "a@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Hello"},
		Route:   notify.First(notify.EmailChannel),
	})
	require.NoError(t, err)
	s, err := n.Wait(ctx, id)
	require.NoError(t, err)
	fmt.Printf("%+v\n", s)
	for e, err := range n.Watch(ctx, id) {
		require.NoError(t, err)
		fmt.Println("watch", e.Type)
	}
	require.NoError(t, n.Close(ctx))
	fmt.Printf("%+v\n", n.Stats(ctx))
}
