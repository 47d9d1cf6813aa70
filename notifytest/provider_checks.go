package notifytest

import (
	"context"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify"
)

// senders is how many goroutines use a provider at once.
const senders = 64

var providerName = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

func providerChecks[M notify.Message]() []providerCheck[M] {
	checks := []providerCheck[M]{
		{name: "name", check: checkName[M]},
		{name: "config", check: checkConfig[M]},
		{name: "send", check: checkSend[M]},
		{name: "same key", check: checkSameKey[M]},
		{name: "message unchanged", check: checkUnchanged[M]},
		{name: "canceled before", check: checkCanceledBefore[M]},
		{name: "concurrent", check: checkConcurrent[M]},
		{name: "capabilities", check: checkCapabilities[M]},
		{name: "close", check: checkClose[M]},
	}
	for _, fault := range []Fault{FaultUnreachable, FaultTemporary, FaultPermanent, FaultThrottle, FaultCut} {
		checks = append(checks, providerCheck[M]{
			name: "fault " + string(fault), fault: fault,
			check: func(b *providerBench[M]) { checkFault(b, fault) },
		})
	}
	return append(checks,
		providerCheck[M]{name: "fault hang until canceled", fault: FaultHang, check: checkHangCanceled[M]},
		providerCheck[M]{name: "fault hang until its deadline", fault: FaultHang, check: checkHangDeadline[M]},
	)
}

func checkName[M notify.Message](b *providerBench[M]) {
	name := b.provider.Name()
	if !providerName.MatchString(name) {
		b.Fatalf("Name is %q, not 1 to 64 characters of a-z, 0-9, '-', '_' and '.'", name)
	}
	b.mustSend("name")
	if again := b.provider.Name(); again != name {
		b.Fatalf("Name changed from %q to %q", name, again)
	}
}

// checkConfig asks a provider that can check its own configuration.
func checkConfig[M notify.Message](b *providerBench[M]) {
	checker, ok := b.provider.(interface{ Check() error })
	if !ok {
		return
	}
	if err := checker.Check(); err != nil {
		b.Fatalf("Check of a provider that works: %v", err)
	}
}

func checkSend[M notify.Message](b *providerBench[M]) {
	var receipts []notify.Receipt
	for i := range 3 {
		r := b.mustSend(key("send", i))
		if r.Cost.Micros != 0 && len(r.Cost.Currency) != 3 {
			b.Fatalf("Receipt.Cost.Currency is %q, not a code of ISO 4217", r.Cost.Currency)
		}
		checkCode(b, r.Code)
		same := func(o notify.Receipt) bool { return o.MessageID != "" && o.MessageID == r.MessageID }
		if slices.ContainsFunc(receipts, same) {
			b.Fatalf("two attempts have the same Receipt.MessageID")
		}
		receipts = append(receipts, r)
	}
}

// checkSameKey repeats a call, as after an answer that was lost.
func checkSameKey[M notify.Message](b *providerBench[M]) {
	d := b.delivery("same")
	for d.Call = 1; d.Call <= 2; d.Call++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		_, err := b.send(ctx, d)
		cancel()
		if err != nil {
			b.Fatalf("call %d under the same key: %v", d.Call, err)
		}
	}
}

func checkUnchanged[M notify.Message](b *providerBench[M]) {
	d := b.delivery("unchanged")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := b.send(ctx, d); err != nil {
		b.Fatalf("Send: %v", err)
	}
	if !reflect.DeepEqual(b.harness.Message(), d.Message) {
		b.Fatalf("Send changed the message, which others share")
	}
}

func checkCanceledBefore[M notify.Message](b *providerBench[M]) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := b.send(ctx, b.delivery("canceled"))
	checkVerdict(b, err, notify.VerdictTemporary, notify.VerdictUncertain)
}

func checkConcurrent[M notify.Message](b *providerBench[M]) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	errs := make([]error, senders)
	var all sync.WaitGroup
	for i := range senders {
		d := b.delivery(key("concurrent", i))
		all.Go(func() { _, errs[i] = b.provider.Send(ctx, d) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		b.Fatalf("%d calls at once: %v", senders, err)
	}
}

func checkCapabilities[M notify.Message](b *providerBench[M]) {
	if capable, ok := b.provider.(notify.Capable); ok {
		first := capable.Capabilities()
		if first.KeyWindow < 0 {
			b.Fatalf("Capabilities.KeyWindow is negative")
		}
		if first.Concurrency < 0 {
			b.Fatalf("Capabilities.Concurrency is negative")
		}
		b.mustSend("capabilities")
		if capable.Capabilities() != first {
			b.Fatalf("Capabilities changed")
		}
	}
	if asker, ok := b.provider.(notify.Asker); ok {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := asker.Ask(ctx, "a-key-never-used"); !errors.Is(err, notify.ErrNotFound) {
			b.Fatalf("Ask of an unknown key: %v; it must wrap ErrNotFound", err)
		}
	}
}

// checkClose closes a provider more than once; the suite does so once more.
func checkClose[M notify.Message](b *providerBench[M]) {
	b.mustSend("close")
	b.close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := b.send(ctx, b.delivery("closed")); err != nil {
		checkVerdict(b, err, notify.VerdictTemporary, notify.VerdictPermanent, notify.VerdictUncertain)
	}
}

func checkFault[M notify.Message](b *providerBench[M], fault Fault) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := range 2 { // the second over what the first left open
		_, err := b.send(ctx, b.delivery(key("fault", i)))
		switch fault {
		case FaultUnreachable:
			checkVerdict(b, err, notify.VerdictTemporary)
		case FaultTemporary:
			checkVerdict(b, err, notify.VerdictTemporary, notify.VerdictThrottled)
		case FaultPermanent:
			checkVerdict(b, err, notify.VerdictPermanent)
		case FaultThrottle:
			if checkVerdict(b, err, notify.VerdictThrottled).RetryAfter <= 0 {
				b.Fatalf("SendError.RetryAfter is not set, although the service asked for a pause")
			}
		case FaultCut:
			checkVerdict(b, err, notify.VerdictUncertain)
		}
	}
}

func checkHangCanceled[M notify.Message](b *providerBench[M]) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := time.AfterFunc(b.harness.Reach, cancel)
	defer timer.Stop()
	_, err := b.send(ctx, b.delivery("hang"))
	checkVerdict(b, err, notify.VerdictUncertain)
}

func checkHangDeadline[M notify.Message](b *providerBench[M]) {
	ctx, cancel := context.WithTimeout(context.Background(), b.harness.Reach)
	defer cancel()
	_, err := b.send(ctx, b.delivery("hang"))
	checkVerdict(b, err, notify.VerdictUncertain)
}

// checkVerdict fails the test unless err is a well-formed SendError with one of
// the verdicts.
func checkVerdict[M notify.Message](b *providerBench[M], err error, want ...notify.Verdict) *notify.SendError {
	b.Helper()
	if err == nil {
		b.Fatalf("Send reports success; want a SendError, verdict %v", want)
	}
	for i, canary := range b.harness.Canaries {
		if canary != "" && strings.Contains(err.Error(), canary) {
			b.Fatalf("the error's text holds Canaries[%d]", i)
		}
	}
	var failure *notify.SendError
	if !errors.As(err, &failure) {
		b.Fatalf("the error is not a SendError: %v", err)
	}
	if !slices.Contains(want, failure.Verdict) {
		b.Fatalf("SendError.Verdict is %q, want one of %v: %v", failure.Verdict, want, err)
	}
	switch failure.Class {
	case notify.ClassNetwork, notify.ClassTimeout, notify.ClassService, notify.ClassThrottle, notify.ClassAuth,
		notify.ClassConfig, notify.ClassAddress, notify.ClassContent, notify.ClassPolicy, notify.ClassOther:
	default:
		b.Fatalf("SendError.Class is %q, which is none of the constants", failure.Class)
	}
	if failure.RetryAfter < 0 {
		b.Fatalf("SendError.RetryAfter is negative")
	}
	checkCode(b, failure.Code)
	return failure
}

// checkCode checks a service's code: short, and a code rather than its text.
func checkCode[M notify.Message](b *providerBench[M], code string) {
	b.Helper()
	for i, canary := range b.harness.Canaries {
		if canary != "" && strings.Contains(code, canary) {
			b.Fatalf("Code holds Canaries[%d]", i)
		}
	}
	if len(code) > 64 || strings.ContainsFunc(code, func(r rune) bool { return r < ' ' || r > '~' }) {
		b.Fatalf("Code must be at most 64 printable ASCII characters")
	}
}
