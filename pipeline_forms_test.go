package notify_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// form is a way in which a backend may keep records and messages.
type form struct {
	name string
	of   func(*memory.Backend) notify.Backend
}

var forms = []form{
	{"memory", func(b *memory.Backend) notify.Backend { return b }},
	{"wire", func(b *memory.Backend) notify.Backend { return notifytest.WireOnly(b) }},
	{"apart", func(b *memory.Backend) notify.Backend { return notifytest.Apart(b) }},
}

func (f form) config(c *notify.Config) {
	c.Backend = f.of(memory.New())
	if f.name == unrecorded.name {
		c.Records = notify.NoRecords(nil)
	}
}

// inEveryForm runs a test in virtual time, once in each form, and without
// records.
func inEveryForm(t *testing.T, f func(t *testing.T, b *notifytest.Bench), options ...func(*notify.Config)) {
	t.Helper()
	inForms(t, append(slices.Clip(forms), unrecorded), f, options...)
}

// inRecordedForms runs a test in each form that keeps records.
func inRecordedForms(t *testing.T, f func(t *testing.T, b *notifytest.Bench), options ...func(*notify.Config)) {
	t.Helper()
	inForms(t, forms, f, options...)
}

func inForms(t *testing.T, forms []form, f func(t *testing.T, b *notifytest.Bench), options ...func(*notify.Config)) {
	t.Helper()
	t.Parallel()
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			notifytest.Run(t, f, append([]func(*notify.Config){form.config}, options...)...)
		})
	}
}

// anna can be reached on every channel.
func anna() notify.Recipient {
	return notify.Recipient{ID: "anna", Name: "Anna", Addresses: map[notify.Channel]string{
		notify.EmailChannel: "anna@example.com",
		notify.SMSChannel:   "+4930123456",
		notify.PushChannel:  "token-of-anna",
		notify.ChatChannel:  "anna",
	}}
}

// toAnna is a notification on a route.
func toAnna(steps ...notify.Step) notify.Notification {
	return notify.Notification{
		To: anna(), Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route: notify.First(steps...),
	}
}

// everySecond makes a provider's retries come a second apart.
func everySecond(c *notify.ProviderConfig) {
	c.Backoff = func(int) time.Duration { return time.Second }
}
