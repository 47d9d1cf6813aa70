package notify_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

// Sent says by what a service charges: as its receipt says, or as follows from
// the number and the text.
func TestWhatASMSIsChargedBy(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		text := notifytest.NewProvider[notify.SMS]("text")
		notify.Use(b.Notifier, text)
		send := func(number string) string {
			id := b.Send(notify.Notification{
				To:      notify.Recipient{Addresses: map[notify.Channel]string{notify.SMSChannel: number}},
				Content: notify.Content{Body: strings.Repeat("ż", 71)}, Route: notify.First(notify.SMSChannel),
			})
			b.Settle(id)
			return id
		}
		b.Require(send("+48601234567"), notifytest.Once(notify.Sent{Country: "PL", Segments: 2}))
		text.Next(notifytest.SucceedWith(notify.Receipt{Country: "GG", Segments: 3}))
		b.Require(send("+447911123456"), notifytest.Once(notify.Sent{Country: "GG", Segments: 3}))
		text.Next(notifytest.SucceedWith(notify.Receipt{Country: "Guernsey", Segments: -1}))
		b.Require(send("+447911123456"), notifytest.Once(notify.Sent{Country: "GB", Segments: 2}))
		text.Next(notifytest.FailTemporarily(notify.ClassOther, ""))
		b.Require(send("+48601234567"), notifytest.Once(notify.Sent{Country: "PL", Segments: 2}))
		require.Len(t, text.Calls(), 5)
	})
}

// What a service charges may be known with the report only.
func TestWhatAReportSaysOfTheCost(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", func(c *notify.Capabilities) { c.Receipts = true })
		notify.Use(b.Notifier, mail)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Until(id, notify.Sent{})
		cost := notify.Cost{Micros: 120, Currency: "EUR"}
		require.NoError(t, b.Notifier.Report(t.Context(), notify.Report{Key: mail.Deliveries()[0].Key, Event: notify.Delivered{Cost: cost}}))
		b.Settle(id)
		b.Require(id, notifytest.Once(notify.Delivered{Cost: cost}))
	})
}
