package notifytest

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Fault is a way in which a service fails a call.
type Fault string

// The faults, each with the verdict that a provider has to return.
const (
	// FaultUnreachable: nothing answers at the service's address: temporary.
	FaultUnreachable Fault = "unreachable"
	// FaultTemporary: the service says no for now: temporary or throttled.
	FaultTemporary Fault = "temporary"
	// FaultPermanent: the service says no for good: permanent.
	FaultPermanent Fault = "permanent"
	// FaultThrottle: the service asks for a pause of some time: throttled, with
	// a RetryAfter.
	FaultThrottle Fault = "throttle"
	// FaultCut: the service takes the whole message, then cuts the connection
	// without an answer: uncertain.
	FaultCut Fault = "cut"
	// FaultHang: the service takes the whole message and never answers:
	// uncertain, as soon as the call's context ends.
	FaultHang Fault = "hang"
)

// ProviderHarness is what [TestProvider] needs to know of a provider.
type ProviderHarness[M notify.Message] struct {
	// New returns a provider whose service works. The service may be a fake;
	// stop it by t.Cleanup. The suite closes a provider that is an io.Closer.
	New func(t testing.TB) notify.Provider[M]
	// Message returns a message that the service takes: a new one each time,
	// all of them equal.
	Message func() M
	// Faulty returns, for each fault that the harness can provoke, a provider
	// whose service fails every call so. The checks of other faults are skipped.
	Faulty map[Fault]func(t testing.TB) notify.Provider[M]
	// Canaries are texts that no error may hold: the passwords and tokens of
	// the provider, the message's address, words of its content, and what the
	// failing service quotes of them.
	Canaries []string
	// Bound is how long after the end of its context a call may take to return,
	// and what a provider started may take to end, even on a busy machine;
	// default 10 s.
	Bound time.Duration
	// Reach is how long a call may take to reach the service and hang there
	// ([FaultHang]): then its context ends. If that is too short for the
	// machine, the check fails; it cannot pass wrongly. Default 2 s.
	Reach time.Duration
}

// TestProvider checks that a provider keeps the contract of [notify.Provider]:
// its name, its receipts, its verdicts, that it honours contexts, may be used
// by many goroutines at once, leaves its message as it is, gives no secret away
// and leaves nothing behind. Run it with the race detector:
//
//	func TestConformance(t *testing.T) {
//		notifytest.TestProvider(t, notifytest.ProviderHarness[notify.SMS]{...})
//	}
//
// It counts the goroutines and descriptors of the whole process, so the test
// that calls it must not be parallel.
func TestProvider[M notify.Message](t *testing.T, h ProviderHarness[M]) {
	t.Helper()
	for _, c := range providerChecks[M]() {
		t.Run(c.name, func(t *testing.T) {
			if c.fault != "" && h.Faulty[c.fault] == nil {
				t.Skipf("the harness does not provoke the fault %q", c.fault)
			}
			c.run(t, h)
		})
	}
}

// providerCheck is one promise of a provider. A check of a fault gets a
// provider whose service fails so.
type providerCheck[M notify.Message] struct {
	name  string
	fault Fault
	check func(b *providerBench[M])
}

// run makes the provider, and checks the promise and what is left behind.
func (c providerCheck[M]) run(tb testing.TB, h ProviderHarness[M]) {
	tb.Helper()
	h.Bound, h.Reach = orTime(h.Bound, 10*time.Second), orTime(h.Reach, 2*time.Second)
	verifyNothingLeft(tb, h.Bound)
	make := h.New
	if c.fault != "" {
		make = h.Faulty[c.fault]
	}
	b := &providerBench[M]{TB: tb, harness: h, provider: make(tb)}
	tb.Cleanup(b.close)
	c.check(b)
}

// providerBench is a provider under test.
type providerBench[M notify.Message] struct {
	testing.TB
	harness  ProviderHarness[M]
	provider notify.Provider[M]
}

func (b *providerBench[M]) close() {
	closer, ok := b.provider.(io.Closer)
	if !ok {
		return
	}
	if err := closer.Close(); err != nil {
		b.Errorf("Close: %v", err)
	}
}

func (b *providerBench[M]) delivery(key string) notify.Delivery[M] {
	return notify.Delivery[M]{
		Key: key, Message: b.harness.Message(), NotificationID: "n-" + key, Tenant: "tenant", Category: "category",
		Call: 1, ExpiresAt: time.Now().Add(time.Hour),
	}
}

// answer is what a call came to.
type answer struct {
	receipt  notify.Receipt
	err      error
	panicked any
}

// send calls Send, and fails the test if it panics, or does not return soon
// after ctx ends.
func (b *providerBench[M]) send(ctx context.Context, d notify.Delivery[M]) (notify.Receipt, error) {
	b.Helper()
	done := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			a.panicked = recover()
			done <- a
		}()
		a.receipt, a.err = b.provider.Send(ctx, d)
	}()

	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		late := time.NewTimer(b.harness.Bound)
		defer late.Stop()
		select {
		case a = <-done:
		case <-late.C:
			b.Fatalf("Send had not returned %v after its context ended", b.harness.Bound)
		}
	}
	if a.panicked != nil {
		b.Fatalf("Send panicked: %v", a.panicked)
	}
	return a.receipt, a.err
}

// mustSend sends, and fails the test if the provider did not take it.
func (b *providerBench[M]) mustSend(key string) notify.Receipt {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	receipt, err := b.send(ctx, b.delivery(key))
	if err != nil {
		b.Fatalf("Send: %v", err)
	}
	return receipt
}

func key(prefix string, i int) string { return fmt.Sprintf("%s-%d", prefix, i) }
