package postgres_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/notifytest"
)

// An order and its notification are committed together, or neither is.
func ExampleSendTx() {
	if missing != nil {
		fmt.Println("the order of anna is", notify.StateSent) // no server to run it on
		return
	}
	ctx := context.Background()
	n, err := notify.New(notify.Config{
		Backend:    postgres.New(dsn, func(c *postgres.Config) { c.Schema = "example" }),
		AddressKey: []byte("16 bytes or more, always the same"),
	})
	if err != nil {
		panic(err)
	}
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail")) // in place of smtp.New(...)
	go n.Run(ctx)
	defer n.Close(ctx)

	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		panic(err)
	}
	defer conn.Close(ctx)
	var id string
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "create temporary table orders (customer text)"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "insert into orders values ('anna')"); err != nil {
			return err
		}
		id, err = postgres.SendTx(ctx, n, tx, notify.Notification{
			To:      notify.Recipient{ID: "anna", Addresses: map[notify.Channel]string{notify.EmailChannel: "anna@example.com"}},
			Content: notify.Content{Title: "Thank you", Body: "We have your order."},
			Route:   notify.First(notify.EmailChannel),
		})
		return err
	})
	if err != nil {
		panic(err)
	}
	status, err := n.Wait(ctx, id)
	if err != nil {
		panic(err)
	}
	fmt.Println("the order of anna is", status.State)
	// Output:
	// the order of anna is sent
}
