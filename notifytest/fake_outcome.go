package notifytest

import (
	"context"
	"errors"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Outcome is what becomes of one call to a [Provider]. The zero Outcome is
// [Succeed].
type Outcome struct {
	receipt *notify.Receipt
	err     error
	slow    time.Duration
	hang    bool
	panics  any
	arrived bool // the service took it, whatever it answers
	lost    bool // the service did not take it, although the answer is nil
}

// Succeed takes the message. Its receipt has a message ID of the provider's
// name and a number.
func Succeed() Outcome { return Outcome{} }

// SucceedWith takes the message, with that receipt.
func SucceedWith(r notify.Receipt) Outcome { return Outcome{receipt: &r} }

// FailTemporarily refuses the message for now.
func FailTemporarily(class notify.FailureClass, code string) Outcome {
	return Fail(&notify.SendError{Verdict: notify.VerdictTemporary, Class: class, Code: code})
}

// Throttle refuses the message, and asks for a pause.
func Throttle(after time.Duration) Outcome {
	return Fail(&notify.SendError{
		Verdict: notify.VerdictThrottled, Class: notify.ClassThrottle, Code: "429", RetryAfter: after,
	})
}

// FailPermanently refuses the message for good.
func FailPermanently(class notify.FailureClass, code string) Outcome {
	return Fail(&notify.SendError{Verdict: notify.VerdictPermanent, Class: class, Code: code})
}

// LoseAnswer takes the message, and loses the answer: the verdict is uncertain.
func LoseAnswer() Outcome { return LoseCall().Arrived() }

// LoseCall loses the message on its way: the verdict is uncertain.
func LoseCall() Outcome {
	return Fail(&notify.SendError{Verdict: notify.VerdictUncertain, Class: notify.ClassNetwork, Code: "cut"})
}

// Hang does not answer until the call's context ends.
func Hang() Outcome { return Outcome{hang: true, lost: true} }

// Panic panics with the value.
func Panic(value any) Outcome { return Outcome{panics: value, lost: true} }

// PlainError fails with an error that is no [notify.SendError], which counts as
// uncertain.
func PlainError(text string) Outcome { return Fail(errors.New(text)) }

// Fail fails with the error; the service has not taken the message.
func Fail(err error) Outcome { return Outcome{err: err, lost: true} }

// After is the outcome when it comes only after a while, or as [Hang] if the
// call's context ends before.
func (o Outcome) After(d time.Duration) Outcome {
	o.slow = d
	return o
}

// Arrived is the outcome when the service has taken the message nonetheless.
func (o Outcome) Arrived() Outcome {
	o.arrived, o.lost = true, false
	return o
}

// takes tells whether the service has the message afterwards.
func (o *Outcome) takes() bool { return o.arrived || !o.lost }

// wait waits as long as the answer takes.
func (o *Outcome) wait(ctx context.Context) error {
	if o.hang {
		<-ctx.Done()
		return noAnswer(ctx)
	}
	if o.slow <= 0 {
		return nil
	}
	answer := time.NewTimer(o.slow)
	defer answer.Stop()
	select {
	case <-answer.C:
		return nil
	case <-ctx.Done():
		return noAnswer(ctx)
	}
}

func noAnswer(ctx context.Context) error {
	return &notify.SendError{Verdict: notify.VerdictUncertain, Class: notify.ClassTimeout, Err: ctx.Err()}
}
