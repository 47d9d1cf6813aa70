package notifytest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Provider is a fake of a provider and its service. It takes every message,
// unless told otherwise by Next, Always or Decide, and remembers every call and
// what a recipient would have got. All methods are safe for concurrent use. It
// can be used with or without a [Bench].
//
// With [notify.Capabilities.KeyWindow] it is a service that honours keys: in
// the window a repeated key has no further effect and the same receipt, and
// with another message it is refused as "key_reused".
type Provider[M notify.Message] struct {
	name         string
	capabilities notify.Capabilities

	mu      sync.Mutex // guards the following
	script  []Outcome
	decide  func(notify.Delivery[M]) Outcome
	calls   []Call[M]
	effects []effect
	named   int // message IDs given out
}

// Call is one call to a [Provider].
type Call[M notify.Message] struct {
	notify.Delivery[M]
	// At is when it began.
	At time.Time
}

// effect is a message that reached the recipient.
type effect struct {
	key, notification string
	body              string
	at                time.Time
	receipt           notify.Receipt
}

// NewProvider returns a provider that takes everything. By default its service
// honours no keys and reports nothing: options set its capabilities.
func NewProvider[M notify.Message](name string, options ...func(*notify.Capabilities)) *Provider[M] {
	p := &Provider[M]{name: name}
	for _, option := range options {
		option(&p.capabilities)
	}
	p.Always(Succeed())
	return p
}

// Name implements [notify.Provider].
func (p *Provider[M]) Name() string { return p.name }

// Capabilities implements [notify.Capable].
func (p *Provider[M]) Capabilities() notify.Capabilities { return p.capabilities }

// Next queues outcomes, one for each of the next calls.
func (p *Provider[M]) Next(outcomes ...Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script = append(p.script, outcomes...)
}

// Always is the outcome of the calls that have none queued.
func (p *Provider[M]) Always(o Outcome) {
	p.Decide(func(notify.Delivery[M]) Outcome { return o })
}

// Decide has the function choose the outcome of the calls that have none
// queued. It must not call the provider's methods.
func (p *Provider[M]) Decide(f func(notify.Delivery[M]) Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decide = f
}

// Send implements [notify.Provider].
func (p *Provider[M]) Send(ctx context.Context, d notify.Delivery[M]) (notify.Receipt, error) {
	if err := ctx.Err(); err != nil { // the service is not reached
		return notify.Receipt{}, &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassTimeout, Err: err}
	}
	outcome := p.begin(d)
	if err := outcome.wait(ctx); err != nil {
		if outcome.arrived {
			_, _ = p.take(d, outcome)
		}
		return notify.Receipt{}, err
	}
	var receipt notify.Receipt
	if outcome.takes() {
		var err error
		if receipt, err = p.take(d, outcome); err != nil {
			return receipt, err
		}
	}
	if outcome.panics != nil {
		panic(outcome.panics)
	}
	if outcome.err != nil {
		return notify.Receipt{}, outcome.err
	}
	return receipt, nil
}

// begin records a call, and says what becomes of it.
func (p *Provider[M]) begin(d notify.Delivery[M]) Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, Call[M]{Delivery: d, At: time.Now()})
	if len(p.script) == 0 {
		return p.decide(d)
	}
	o := p.script[0]
	p.script = p.script[1:]
	return o
}

// take is the service taking a message.
func (p *Provider[M]) take(d notify.Delivery[M], o Outcome) (notify.Receipt, error) {
	body, err := json.Marshal(d.Message)
	if err != nil {
		return notify.Receipt{}, fmt.Errorf("notifytest: encode a message: %w", err)
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.effects {
		if e.key != d.Key || now.Sub(e.at) >= p.capabilities.KeyWindow {
			continue
		}
		if e.body != string(body) {
			return notify.Receipt{}, &notify.SendError{
				Verdict: notify.VerdictPermanent, Class: notify.ClassContent, Code: "key_reused",
			}
		}
		return e.receipt, nil
	}
	e := effect{key: d.Key, notification: d.NotificationID, body: string(body), at: now}
	if o.receipt != nil {
		e.receipt = *o.receipt
	} else {
		p.named++
		e.receipt.MessageID = fmt.Sprintf("%s-%d", p.name, p.named)
	}
	p.effects = append(p.effects, e)
	return e.receipt, nil
}

// Calls are the calls so far, in the order in which they began.
func (p *Provider[M]) Calls() []Call[M] {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Deliveries are what the calls so far were made with.
func (p *Provider[M]) Deliveries() []notify.Delivery[M] {
	var all []notify.Delivery[M]
	for _, c := range p.Calls() {
		all = append(all, c.Delivery)
	}
	return all
}

// Keys are the keys of the calls so far: one that was repeated is there
// as often.
func (p *Provider[M]) Keys() []string {
	var all []string
	for _, c := range p.Calls() {
		all = append(all, c.Key)
	}
	return all
}

// Effects is how many messages recipients have got.
func (p *Provider[M]) Effects() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.effects)
}

// EffectsOf is how many messages the recipient of the notification has got.
func (p *Provider[M]) EffectsOf(notificationID string) int { return len(p.Receipts(notificationID)) }

// Receipts are the receipts of the messages that the recipient of the
// notification has got, including those whose answer was lost.
func (p *Provider[M]) Receipts(notificationID string) []notify.Receipt {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []notify.Receipt
	for _, e := range p.effects {
		if e.notification == notificationID {
			all = append(all, e.receipt)
		}
	}
	return all
}
