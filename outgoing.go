package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Outgoing is a message that is about to be sent. It holds content and an
// address: whoever receives it is responsible for where it goes.
type Outgoing struct {
	NotificationID string
	RecipientID    string
	Tenant         string
	Category       string
	// AcceptedAt is when the notification was accepted.
	AcceptedAt time.Time
	Leg        Leg
	// Template and Locale are what it was made from, if it was.
	Template string
	Locale   string
	// Message is the channel's [Message], in JSON.
	Message json.RawMessage
}

// keepTimeout bounds one call of a function that keeps messages.
const keepTimeout = 30 * time.Second

// Keep has fn called with each message before it is sent: once the record says
// that this is the message of the leg, and before the leg's first attempt begins. So
// nothing is sent that fn has not taken, whatever crashes; what it took may in the end
// not be sent, if it is canceled or no provider can be had. When fn fails, panics or
// takes longer than 30 s, nothing is sent: it is called again later, until the leg's time
// is over ([Budgets.Channel]) or the notification expires; then the plan goes on as after
// any failure. It may be called again with the same message; by a program
// with [NoRecords], which makes the message anew after a crash, perhaps with another
// one: then the last is what is sent.
//
// It costs a write of the record for each leg, on top of those of sending. fn is
// called by many goroutines at once, and the error it returns is logged: it must
// hold no content. Several functions are called in the order of their registration.
// Call Keep before Run; its problems come from Ready, Run and Send.
func (n *Notifier) Keep(fn func(ctx context.Context, m Outgoing) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.refuseLocked("Keep"):
	case fn == nil:
		n.problemLocked("Keep", "the function is nil")
	default:
		n.pipeline.keepers = append(n.pipeline.keepers[:len(n.pipeline.keepers):len(n.pipeline.keepers)], fn)
	}
}

// keep hands the leg's message, which the record has, to those who keep it.
func (p *pipeline) keep(ctx context.Context, r *record, number int) error {
	leg := r.leg(number)
	m := Outgoing{
		NotificationID: r.ID, RecipientID: r.RecipientID, Tenant: r.Tenant, Category: r.Category, AcceptedAt: r.AcceptedAt,
		Leg: Leg{Leg: number, Channel: leg.Channel}, Template: leg.Message.Template, Locale: leg.Message.Locale, Message: leg.Message.Raw,
	}
	if m.Message == nil {
		raw, err := json.Marshal(leg.Message.Message)
		if err != nil {
			return fmt.Errorf("notify: keep a message: encode it: %w", err)
		}
		m.Message = raw
	}
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	for _, keep := range p.keepers {
		err := safely(func() error { return keep(ctx, m) })
		if err == nil {
			err = ctx.Err() // it may have taken too long
		}
		if err != nil {
			return fmt.Errorf("notify: keep a message before it is sent: %w", err)
		}
	}
	return nil
}
