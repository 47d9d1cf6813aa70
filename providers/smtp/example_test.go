package smtp_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/providers/smtp"
)

// A local relay takes mail without a login.
func Example() {
	provider := smtp.New(smtp.Config{Addr: "localhost:25", From: "Shop <shop@example.com>"})
	defer provider.Close()

	fmt.Println(provider.Name(), provider.Check())
	// Output: smtp <nil>
}

// A submission port wants a login, which is never sent without encryption.
// Attachments by reference are opened once the server has taken the recipient.
func ExampleConfig() {
	provider := smtp.New(smtp.Config{
		Addr:     "mail.example.com:587",
		From:     "Shop <shop@example.com>",
		ReplyTo:  "help@example.com",
		Username: "shop",
		Password: os.Getenv("SMTP_PASSWORD"),
		OpenAttachment: func(_ context.Context, ref string) (io.ReadCloser, error) {
			return os.OpenInRoot("/srv/invoices", filepath.Base(ref))
		},
	})
	defer provider.Close()

	fmt.Println(provider.Check())
	// Output: <nil>
}

// What is wrong with the Config is reported all at once, and not by New.
func ExampleProvider_Check() {
	provider := smtp.New(smtp.Config{Addr: "mail.example.com", From: "shop"})
	for _, problem := range notify.FieldErrors(provider.Check()) {
		fmt.Println(problem.Field)
	}
	// Output:
	// Addr
	// From
}
