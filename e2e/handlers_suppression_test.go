package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/suppression"
)

// shakySuppression is a store that fails now and then. Unsafe, it takes what came
// last for what happened last.
type shakySuppression struct {
	suppression.Store
	trouble *trouble
	unsafe  bool
	finds   *atomic.Int64
}

func (s shakySuppression) Set(ctx context.Context, e suppression.Entry) error {
	if s.unsafe {
		e.At = time.Now().UTC().Truncate(time.Microsecond)
	}
	return s.trouble.write(func() error { return s.Store.Set(ctx, e) })
}

func (s shakySuppression) Find(ctx context.Context, tenant string, subjects ...suppression.Subject) ([]suppression.Entry, error) {
	if s.finds.Add(1)%10 == 4 {
		return nil, errDown
	}
	return s.Store.Find(ctx, tenant, subjects...)
}

// suppressionSubject: the list is what the events say, and what the host lifted
// later; who is on it gets nothing, and who is not does.
func suppressionSubject(t *trial, unsafe bool) subject {
	t.trouble.down, t.trouble.up = 4, 8 // few events are written
	t.trouble.unlucky = func(id string) bool { return chance(id)%9 == 0 || strings.Contains(id, "/unsubscribed") }
	store := shakySuppression{suppression.NewMemory(), t.trouble, unsafe, &atomic.Int64{}}
	var list *suppression.List // of the process that runs
	lifted := map[suppression.Key]bool{}
	unsubscribed := func(recipient string) suppression.Key {
		return suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: recipient}, Scope: "news"}
	}
	return subject{
		observers: []string{"suppression"},
		attach: func(p *process) {
			list = suppression.New(store, func(c *suppression.Config) { t.trouble.observe(&c.Observer) })
			p.Attach(list)
		},
		// The host lifts what some said, of which the events may come again.
		midway: func(p *process) error {
			for i, one := range t.sent {
				if key := unsubscribed(one.recipient); one.fate == "unsubscribed" && i < len(t.sent)/2 {
					lifted[key] = true
					if err := list.Lift(p.ctx, key); err != nil {
						return err
					}
				}
			}
			return nil
		},
		check: func(p *process, known truth) (wrong []string) {
			want := map[suppression.Key]suppression.Reason{}
			for _, e := range known.all() {
				key := suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: e.RecipientID}}
				switch data := e.Data.(type) {
				case notify.AddressInvalid:
					key.Channel, key.Subject = data.Channel, suppression.Subject{AddressHash: data.AddressHash}
					want[key] = suppression.Invalid
				case notify.Complained:
					want[key] = suppression.Complaint
				case notify.Unsubscribed:
					if key.Scope = "news"; !lifted[key] {
						want[key] = suppression.Unsubscribe
					}
				}
			}
			page, err := store.List(context.Background(), suppression.Query{Tenant: "shop", Limit: 1000})
			if err != nil {
				return []string{err.Error()}
			}
			got := map[suppression.Key]suppression.Reason{}
			for _, e := range page.Entries {
				got[e.Key] = e.Reason
			}
			if !reflect.DeepEqual(want, got) {
				wrong = append(wrong, fmt.Sprintf("the list is %v, not %v", got, want))
			}
			return append(wrong, sendAgain(p, known, lifted, unsubscribed)...)
		},
	}
}

// sendAgain sends everybody another mail.
func sendAgain(p *process, known truth, lifted map[suppression.Key]bool, unsubscribed func(string) suppression.Key) (wrong []string) {
	for _, one := range known.sent {
		stopped := one.fate == "bounced" || one.fate == "complained" || one.fate == "unsubscribed" && !lifted[unsubscribed(one.recipient)]
		got, err := nextSend(p, one)
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("%s: %v", one.fate, err))
		case got != stopped:
			wrong = append(wrong, fmt.Sprintf("%s: the next one is suppressed: %v, not %v", one.fate, got, stopped))
		}
	}
	return wrong
}

// nextSend tells whether the next notification to the recipient is suppressed.
func nextSend(p *process, one sent) (bool, error) {
	id, err := p.Send(p.ctx, notify.Notification{
		Tenant: "shop", Category: "news", Route: notify.First(notify.EmailChannel), Content: notify.Content{Body: "again"},
		To: notify.Recipient{ID: one.recipient, Addresses: map[notify.Channel]string{notify.EmailChannel: one.recipient[len("u-"):] + "@example.com"}},
	})
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	for e, err := range p.Watch(ctx, id) {
		switch e.Data.(type) {
		case notify.Suppressed:
			return true, nil
		case notify.Sent:
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, errors.New("neither sent nor suppressed")
}
