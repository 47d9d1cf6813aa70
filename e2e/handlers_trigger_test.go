package e2e_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/trigger"
)

// orders is another business process, which is down now and then. It heeds the
// key, unless it is unsafe.
type orders struct {
	unsafe bool

	mu      sync.Mutex
	keys    map[string]bool
	effects map[string]int // by the event that they answer
}

func (o *orders) begin(key, event string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.keys[key] && !o.unsafe {
		return
	}
	o.keys[key] = true
	o.effects[event]++
}

// triggerSubject: what answers an event happens once, be it a process that heeds
// its key or another notification.
func triggerSubject(t *trial, unsafe bool) subject {
	begun := &orders{unsafe: unsafe, keys: map[string]bool{}, effects: map[string]int{}}
	// answers are the messages that answer an event, by its ID, and their keys.
	answers := func() map[string]map[string]bool {
		all := map[string]map[string]bool{}
		for _, d := range t.sms.Deliveries() {
			if all[d.Message.Text] == nil {
				all[d.Message.Text] = map[string]bool{}
			}
			all[d.Message.Text][d.NotificationID+"/"+d.Key] = true
		}
		return all
	}
	isAnswered := func(e notify.Event[any]) bool {
		_, ok := e.Data.(notify.Delivered)
		return ok
	}
	return subject{
		observers: []string{"begin-order", "answer"},
		attach: func(p *process) {
			p.Attach(trigger.Process("begin-order", func(_ context.Context, key string, e notify.Event[notify.Delivered]) error {
				return t.trouble.write(func() error { begun.begin(key, e.ID); return nil })
			}, func(c *trigger.Config) { t.trouble.observe(&c.Observer) }))
			p.Attach(trigger.Notification("answer", func(_ context.Context, e notify.Event[notify.Delivered]) (notify.Notification, bool, error) {
				return notify.Notification{
					To:      notify.Recipient{ID: e.RecipientID, Addresses: map[notify.Channel]string{notify.SMSChannel: "+4930123456"}},
					Content: notify.Content{Body: e.ID}, Route: notify.First(notify.SMSChannel),
				}, true, nil
			}, func(c *trigger.Config) { t.trouble.observe(&c.Observer) }))
		},
		rested: func(_ *process, known truth) error {
			got := answers()
			for _, e := range known.all() {
				if isAnswered(e) && len(got[e.ID]) == 0 {
					return fmt.Errorf("nothing answered %s", e.ID)
				}
			}
			return nil
		},
		check: func(_ *process, known truth) (wrong []string) {
			begun.mu.Lock()
			defer begun.mu.Unlock()
			sent, want := answers(), 0
			for _, e := range known.all() {
				if !isAnswered(e) {
					continue
				}
				want++
				if begun.effects[e.ID] != 1 {
					wrong = append(wrong, fmt.Sprintf("%d orders for %s", begun.effects[e.ID], e.ID))
				}
				if len(sent[e.ID]) != 1 {
					wrong = append(wrong, fmt.Sprintf("%d messages for %s", len(sent[e.ID]), e.ID))
				}
			}
			if len(sent) != want || len(begun.effects) != want {
				wrong = append(wrong, fmt.Sprintf("%d messages and %d orders for %d events", len(sent), len(begun.effects), want))
			}
			return wrong
		},
	}
}
