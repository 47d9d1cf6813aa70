package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// Use registers a provider for the channel of M. Several providers of one
// channel are used in the order of their registration: the next one takes over
// when one is down, or gives up. A message type of the host's own needs a [Render].
// Call it before Run; its problems come from Ready, Run and Send.
//
// If the provider has a method Check() error, it is called here, and its error
// is among the problems. If it is an [io.Closer], Close closes it.
func Use[M Message](n *Notifier, p Provider[M], options ...func(*ProviderConfig)) {
	field := fmt.Sprintf("Use[%T]", *new(M))
	channel, ok := channelOf[M]()
	switch {
	case isNil(p):
		n.problem(field, "the provider is nil")
		return
	case !ok || !validChannelName(channel):
		n.problem(field, "Channel() of the zero value must return 1 to 32 characters of a-z, 0-9, '-' and '_'")
		return
	case !validProviderName(p.Name()):
		n.problem(field, "Name() must return 1 to 64 characters of a-z, 0-9, '-', '_' and '.'")
		return
	}
	field = fmt.Sprintf("Use(%s)", p.Name())
	policy := providerPolicy{Name: p.Name(), ProviderConfig: providerDefaults()}
	for _, option := range options {
		option(&policy.ProviderConfig)
	}
	n.refuse(policy.complete(field))
	if capable, ok := p.(Capable); ok {
		policy.Capabilities = capable.Capabilities()
	}
	if n.ledger.carried != nil {
		policy.Receipts = false // there is nowhere to keep them
	}
	_, policy.CanAsk = p.(Asker)
	if checker, ok := p.(interface{ Check() error }); ok {
		if err := checker.Check(); err != nil {
			n.problemErr(field, err)
		}
	}
	s := newSender(policy, channel)
	s.provider, s.form = p, reflect.TypeFor[M]()
	s.send = func(ctx context.Context, c call) (Receipt, error) {
		message, ok := c.message.(M)
		if !ok {
			return Receipt{}, &SendError{Verdict: VerdictPermanent, Class: ClassConfig, Err: fmt.Errorf("the message is a %T, not a %T", c.message, message)}
		}
		return p.Send(ctx, Delivery[M]{
			Key: c.key, Message: message, NotificationID: c.id, Tenant: c.tenant, Category: c.category,
			Call: c.number, ExpiresAt: c.expiresAt,
		})
	}
	s.decode = func(raw json.RawMessage) (Message, error) {
		var message M
		err := json.Unmarshal(raw, &message)
		return message, err
	}
	n.use(field, s)
}

// channelOf returns the channel of M's zero value; ok is false if its method
// does not work on it.
func channelOf[M Message]() (c Channel, ok bool) {
	defer func() { _ = recover() }()
	var zero M
	return zero.Channel(), true
}

func providerDefaults() ProviderConfig {
	return ProviderConfig{
		AttemptTimeout:  30 * time.Second,
		Budget:          time.Hour,
		Attempts:        5,
		MaxRetryAfter:   15 * time.Minute,
		Burst:           1,
		BreakerFailures: 5,
		BreakerCooldown: 30 * time.Second,
		ReceiptWindow:   72 * time.Hour,
		Backoff:         backoff(2*time.Second, 10*time.Minute),
	}
}

// complete gives what an option set to zero its default again, and returns the
// problems.
func (p *providerPolicy) complete(field string) problems {
	defaults := providerDefaults()
	var found problems
	found.durations(field+".", []durationOption{
		{"AttemptTimeout", &p.AttemptTimeout, defaults.AttemptTimeout, time.Hour},
		{"Budget", &p.Budget, defaults.Budget, 30 * 24 * time.Hour},
		{"MaxRetryAfter", &p.MaxRetryAfter, defaults.MaxRetryAfter, 24 * time.Hour},
		{"BreakerCooldown", &p.BreakerCooldown, defaults.BreakerCooldown, 24 * time.Hour},
		{"ReceiptWindow", &p.ReceiptWindow, defaults.ReceiptWindow, maxReceiptWindow},
	})
	p.Attempts = orDefault(p.Attempts, defaults.Attempts)
	p.Burst = orDefault(p.Burst, defaults.Burst)
	p.BreakerFailures = orDefault(p.BreakerFailures, defaults.BreakerFailures)
	if p.Backoff == nil {
		p.Backoff = defaults.Backoff
	}
	if p.Attempts < 0 || p.Burst < 0 || p.Rate < 0 || p.ProviderConfig.Concurrency < 0 {
		found.add(field, "Attempts, Rate, Burst and Concurrency must not be negative")
	}
	return found
}

// concurrency is how many calls may be under way at once; 0 is any number.
func (p *providerPolicy) concurrency() int {
	if p.ProviderConfig.Concurrency > 0 {
		return p.ProviderConfig.Concurrency
	}
	return max(p.Capabilities.Concurrency, 0)
}

// pause is how long to wait after the nth call failed. A Backoff of the host's
// that panics counts as the default one.
func (p *providerPolicy) pause(n int, failure *SendError) (pause time.Duration) {
	defer func() {
		if recover() != nil {
			pause = providerDefaults().Backoff(n)
		}
	}()
	pause = max(0, p.Backoff(n))
	if failure != nil {
		pause = max(pause, min(failure.RetryAfter, p.MaxRetryAfter))
	}
	return pause
}

// maxReceiptWindow is the longest that a provider may be waited for.
const maxReceiptWindow = 30 * 24 * time.Hour
