package sqlite_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/notifytest"
)

// One line moves a program from memory to a file. What was sent before the
// program ended, or was killed, goes on when it starts again.
func Example() {
	dir, err := os.MkdirTemp("", "notify")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	backend := sqlite.Open(filepath.Join(dir, "notify.db"))
	n, err := notify.New(notify.Config{Backend: backend, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail")) // or smtp.New(...)
	n.Attach(timeline.New(backend.Timeline(n)))
	go func() { _ = n.Run(context.Background()) }()

	ctx := context.Background()
	id, err := n.Send(ctx, notify.Notification{
		To:      notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
		Route:   notify.First(notify.EmailChannel),
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	status, err := n.Wait(ctx, id)
	fmt.Println(status.State, err)
	fmt.Println(n.Close(ctx))

	// A second process that opens the file while it is in use is told by whom.
	first, second := sqlite.Open(filepath.Join(dir, "notify.db")), sqlite.Open(filepath.Join(dir, "notify.db"))
	_, err = first.Publisher()
	fmt.Println(err)
	_, err = second.Publisher()
	fmt.Println(err != nil)
	fmt.Println(first.Close(), second.Close())
	// Output:
	// sent <nil>
	// <nil>
	// <nil>
	// true
	// <nil> <nil>
}
