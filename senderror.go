package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Verdict is what a failed call to a provider means for the next one.
type Verdict string

// The verdicts. A zero Verdict counts as VerdictUncertain.
const (
	// VerdictTemporary: the provider did not take it, and may do so later.
	VerdictTemporary Verdict = "temporary"
	// VerdictThrottled is VerdictTemporary with the provider asking everybody
	// for a pause: for RetryAfter no message is sent through it. A pause for one
	// recipient only is a VerdictTemporary with a RetryAfter.
	VerdictThrottled Verdict = "throttled"
	// VerdictPermanent: the provider did not take it and never will.
	VerdictPermanent Verdict = "permanent"
	// VerdictUncertain: the provider may or may not have taken it.
	VerdictUncertain Verdict = "uncertain"
)

// FailureClass is why a call to a provider failed. A value that is none of the
// classes below counts as ClassOther, so that no free text gets into events.
type FailureClass string

// The classes of failure.
const (
	ClassNetwork  FailureClass = "network"  // the provider could not be reached
	ClassTimeout  FailureClass = "timeout"  // no answer in time
	ClassService  FailureClass = "service"  // the provider has trouble of its own
	ClassThrottle FailureClass = "throttle" // too many calls
	ClassAuth     FailureClass = "auth"     // credentials refused
	ClassConfig   FailureClass = "config"   // the provider's account or set-up refused
	ClassAddress  FailureClass = "address"  // the address does not exist or cannot be reached
	ClassContent  FailureClass = "content"  // the message refused for what it is
	ClassPolicy   FailureClass = "policy"   // refused by a rule: blocked, unsubscribed, spam
	ClassOther    FailureClass = "other"    // anything else, a plain error too
)

// known is the class, or ClassOther if it is none.
func (c FailureClass) known() FailureClass {
	switch c {
	case ClassNetwork, ClassTimeout, ClassService, ClassThrottle, ClassAuth, ClassConfig, ClassAddress, ClassContent, ClassPolicy:
		return c
	default:
		return ClassOther
	}
}

// aboutMessage tells whether the failure is about the message or its
// recipient, so that another provider of the channel would do no better.
func (c FailureClass) aboutMessage() bool {
	return c == ClassAddress || c == ClassContent || c == ClassPolicy
}

// SendError is how a provider reports a failure: what it means, why, and the
// provider's own code. It must hold no address and no content.
type SendError struct {
	Verdict Verdict
	Class   FailureClass
	// Code is the provider's own, such as "550 5.1.1" or "invalid_token"; it
	// appears in events, at most 64 bytes of it.
	Code string
	// RetryAfter is the pause that the provider asks for, before the next call
	// for this message and, with VerdictThrottled, for any; zero is none.
	RetryAfter time.Duration
	// Err is the cause. Its text goes to the log, never into events.
	Err error
}

// Error implements error.
func (e *SendError) Error() string {
	text := fmt.Sprintf("%s failure (%s)", e.Verdict, e.Class)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// AsSendError classifies any error of a provider: a [SendError] as it is, a
// failed dial or name look-up as temporary, and everything else, a timeout
// too, as uncertain. It returns nil for nil.
func AsSendError(err error) *SendError {
	if err == nil {
		return nil
	}
	return classifySendError(err)
}

func classifySendError(err error) *SendError {
	var sendErr *SendError
	var opErr *net.OpError
	var dnsErr *net.DNSError
	switch {
	case errors.As(err, &sendErr):
		known := *sendErr
		switch known.Verdict {
		case VerdictTemporary, VerdictThrottled, VerdictPermanent, VerdictUncertain:
		default:
			known.Verdict = VerdictUncertain
		}
		known.Class = known.Class.known()
		return &known
	case errors.As(err, &opErr) && opErr.Op == "dial", errors.As(err, &dnsErr):
		return &SendError{Verdict: VerdictTemporary, Class: ClassNetwork, Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &SendError{Verdict: VerdictUncertain, Class: ClassTimeout, Err: err}
	default:
		return &SendError{Verdict: VerdictUncertain, Class: ClassOther, Err: err}
	}
}

func failureOf(err *SendError) Failure {
	if err == nil {
		return Failure{}
	}
	return Failure{Verdict: err.Verdict, Class: err.Class, Code: clipCode(err.Code)}
}
