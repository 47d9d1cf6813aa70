package console_test

import (
	"context"
	"fmt"
	"os"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/providers/console"
)

func Example() {
	provider := console.New[notify.Email]("console-email", os.Stdout)
	_, err := provider.Send(context.Background(), notify.Delivery[notify.Email]{
		Key:            "k1",
		NotificationID: "n_17",
		Message: notify.Email{
			To:      "ada@example.com",
			Subject: "Shipped",
			Text:    "Hello Ada,\n\nyour order is on its way.",
		},
	})
	fmt.Println("error:", err)
	// Output:
	// --- email n_17 (console-email)
	// to: ada@example.com
	// subject: Shipped
	// text:
	//   Hello Ada,
	//
	//   your order is on its way.
	//
	// error: <nil>
}
