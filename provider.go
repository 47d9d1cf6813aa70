package notify

import (
	"context"
	"time"
)

// Provider sends one channel's messages through one service. It is used by
// many goroutines at once.
type Provider[M Message] interface {
	// Name is unique among the providers of a Notifier, and the same in every
	// process and version: 1 to 64 characters of a-z, 0-9, '-', '_' and '.'.
	Name() string
	// Send makes one call to the service: it never retries by itself, and
	// returns soon after ctx ends. A nil error says that the service took the
	// message. A failure is a [SendError]; any other error counts as uncertain
	// ([AsSendError]), so say VerdictTemporary or VerdictPermanent only when
	// the service has certainly not taken it. Its text goes to the log: an error of
	// net/http has the URL in it, so wrap what is inside it if that holds a secret
	// or an address.
	Send(ctx context.Context, d Delivery[M]) (Receipt, error)
}

// Delivery is one call to a provider.
type Delivery[M Message] struct {
	// Key names the attempt: the same for every call of one attempt, and of no
	// other. A provider that can pass it on as an idempotency key says so by
	// [Capabilities].
	Key string
	// Message is what to send. It is shared: do not change it.
	Message M
	// NotificationID, Tenant and Category are the notification's.
	NotificationID string
	Tenant         string
	Category       string
	// Call counts the calls of the attempt, from 1.
	Call int
	// ExpiresAt is when the message is not worth sending any more.
	ExpiresAt time.Time
}

// Receipt is a provider's confirmation that it took a message.
type Receipt struct {
	// MessageID is the service's own name for the message, by which later
	// reports name it ([Report.MessageID]). It may be empty.
	MessageID string
	// Cost is what the service charges for it, if it says so.
	Cost Cost
	// Country and Segments are what it charges by, if it says so: see [Sent]. A
	// Country that is not two letters from A to Z counts as not said.
	Country  string
	Segments int
	// Code is the service's own code, such as "250 2.0.0"; at most 64 bytes of
	// it appear in events.
	Code string
}

// Cost is an amount of money in millionths of the currency's unit.
type Cost struct {
	Micros   int64  `json:"micros"`
	Currency string `json:"currency"` // ISO 4217, such as "EUR"
}

// Capabilities says what a service can do beyond sending.
type Capabilities struct {
	// KeyWindow is how long the service honours [Delivery.Key] as an
	// idempotency key, counted from the first call; zero is not at all. Within
	// it, a call without an answer is repeated; beyond it, it is in doubt.
	KeyWindow time.Duration
	// Receipts says that the service reports later what became of a message,
	// which the host passes on to [Notifier.Report]: until then, or until
	// [ProviderConfig.ReceiptWindow] is over, the notification has not settled.
	// Without it, an attempt is over once the service took the message.
	Receipts bool
	// ReplaysFailures says that the service answers a repeated key with the
	// failure that it answered first, so that a permanent one is definite
	// even after a lost answer.
	ReplaysFailures bool
	// Concurrency is how many calls the provider makes at once; zero is any
	// number. More of them wait before their attempt begins, so that a crash leaves
	// no more than these without an answer. [ProviderConfig.Concurrency] overrules it.
	Concurrency int
}

// Capable is a [Provider] that has [Capabilities]. They must not change.
type Capable interface {
	Capabilities() Capabilities
}

// Asker is a [Provider] that can be asked what became of an attempt whose
// answer was lost.
type Asker interface {
	// Ask returns the receipt of the attempt with that key, or an error that
	// wraps [ErrNotFound] if the service knows of none. Any other error leaves
	// open what became of it.
	Ask(ctx context.Context, key string) (Receipt, error)
}

// ProviderConfig is how a provider is used. Set its fields in the options of
// [Use].
type ProviderConfig struct {
	// AttemptTimeout bounds one call; default 30 s.
	AttemptTimeout time.Duration
	// Budget bounds the time from the first call of a notification through
	// this provider to the last; default 1 h.
	Budget time.Duration
	// Attempts bounds the calls of a notification through this provider;
	// default 5.
	Attempts int
	// Backoff is the pause before the next call; n counts the calls made, from
	// 1. Default: 2 s doubling to 10 min, each with up to half of it taken off
	// at random. A Retry-After of the service overrules a shorter pause, and
	// is clamped to MaxRetryAfter, default 15 min. With [VerdictThrottled] it
	// holds back the provider in this process: other messages wait for its end,
	// or go to the channel's next provider.
	Backoff       func(n int) time.Duration
	MaxRetryAfter time.Duration
	// Rate is how many calls may begin in a second, and Burst how many at
	// once, in this process; default no limit, and a Burst of 1.
	Rate  float64
	Burst int
	// Concurrency is how many calls may be under way at once, in this process;
	// default what [Capabilities] say, else no limit. What waits for its place is
	// not an attempt yet, and can be canceled; urgent notifications go first.
	Concurrency int
	// BreakerFailures in a row with no answer or with trouble of the service
	// open the circuit breaker; default 5, negative is never. After
	// BreakerCooldown, default 30 s, one call probes.
	BreakerFailures int
	BreakerCooldown time.Duration
	// ReceiptWindow is how long a message that was taken waits for the
	// service's report; default 72 h. Without [Capabilities.Receipts] it is not
	// used.
	ReceiptWindow time.Duration
	// ResendInDoubt sends again, under a new key, when a call's answer was lost
	// and the service can neither repeat nor be asked: the recipient may get
	// it twice. Default false: such an attempt ends as Unknown.
	ResendInDoubt bool
}
