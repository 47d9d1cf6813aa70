package notifytest_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

// fake is a provider made of funcs. Its zero value is a good one.
type fake struct {
	name  func() string
	send  func(ctx context.Context, d notify.Delivery[notify.SMS]) (notify.Receipt, error)
	close func() error
}

func (f *fake) Name() string {
	if f.name != nil {
		return f.name()
	}
	return "fake"
}

func (f *fake) Send(ctx context.Context, d notify.Delivery[notify.SMS]) (notify.Receipt, error) {
	if f.send != nil {
		return f.send(ctx, d)
	}
	return take(ctx, d)
}

func (f *fake) Close() error {
	if f.close != nil {
		return f.close()
	}
	return nil
}

// take is what a good service does.
func take(ctx context.Context, d notify.Delivery[notify.SMS]) (notify.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return notify.Receipt{}, failure(notify.VerdictTemporary, err)
	}
	return notify.Receipt{MessageID: "m-" + d.Key, Code: "202"}, nil
}

func failure(v notify.Verdict, err error) *notify.SendError {
	return &notify.SendError{Verdict: v, Class: notify.ClassService, Code: "99", Err: err}
}

// failing is a provider whose every call fails with err.
func failing(err error) func(testing.TB) notify.Provider[notify.SMS] {
	return sending(func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
		return notify.Receipt{}, err
	})
}

func sending(send func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error)) func(testing.TB) notify.Provider[notify.SMS] {
	return func(testing.TB) notify.Provider[notify.SMS] { return &fake{send: send} }
}

func hanging(ctx context.Context, _ notify.Delivery[notify.SMS]) (notify.Receipt, error) {
	<-ctx.Done()
	return notify.Receipt{}, failure(notify.VerdictUncertain, ctx.Err())
}

// good is a harness that the whole suite passes.
func good() notifytest.ProviderHarness[notify.SMS] {
	throttled := failure(notify.VerdictThrottled, nil)
	throttled.RetryAfter = time.Minute
	return notifytest.ProviderHarness[notify.SMS]{
		New:     func(testing.TB) notify.Provider[notify.SMS] { return &fake{} },
		Message: func() notify.SMS { return notify.SMS{To: "+4930123456", Text: "code 7788"} },
		Faulty: map[notifytest.Fault]func(testing.TB) notify.Provider[notify.SMS]{
			notifytest.FaultUnreachable: failing(failure(notify.VerdictTemporary, nil)),
			notifytest.FaultTemporary:   failing(failure(notify.VerdictThrottled, nil)),
			notifytest.FaultPermanent:   failing(failure(notify.VerdictPermanent, nil)),
			notifytest.FaultThrottle:    failing(throttled),
			notifytest.FaultCut:         failing(failure(notify.VerdictUncertain, nil)),
			notifytest.FaultHang:        sending(hanging),
		},
		Canaries: []string{"+4930123456", "7788", "s3cret"},
		Reach:    10 * time.Millisecond,
	}
}

func TestProviderSuite(t *testing.T) { notifytest.TestProvider(t, good()) }

// asking is a fake that has every optional method.
type asking struct {
	fake
	problem      error
	capabilities func() notify.Capabilities
	ask          error
}

func (a *asking) Check() error { return a.problem }

func (a *asking) Capabilities() notify.Capabilities {
	if a.capabilities != nil {
		return a.capabilities()
	}
	return notify.Capabilities{KeyWindow: time.Hour}
}

func (a *asking) Ask(context.Context, string) (notify.Receipt, error) { return notify.Receipt{}, a.ask }

func TestProviderSuiteOptional(t *testing.T) {
	h := good()
	h.New = func(testing.TB) notify.Provider[notify.SMS] { return &asking{ask: notify.ErrNotFound} }
	notifytest.TestProvider(t, h)
}

// TestProviderSuiteReports breaks one promise at a time, and looks whether its
// check says so. Leaks are counted over the process, so nothing is parallel.
func TestProviderSuiteReports(t *testing.T) {
	type harness = notifytest.ProviderHarness[notify.SMS]
	with := func(p notify.Provider[notify.SMS]) func(*harness) {
		return func(h *harness) { h.New = func(testing.TB) notify.Provider[notify.SMS] { return p } }
	}
	withSend := func(send func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error)) func(*harness) {
		return func(h *harness) { h.New = sending(send) }
	}
	briefly := func(change func(*harness)) func(*harness) {
		return func(h *harness) { h.Bound = 100 * time.Millisecond; change(h) }
	}
	faulty := func(f notifytest.Fault, err error) func(*harness) {
		return func(h *harness) { h.Faulty[f] = failing(err) }
	}
	end := make(chan struct{})
	defer close(end)
	var calls, names, inside atomic.Int64
	var keys sync.Map

	tests := []struct {
		check, report string
		change        func(*harness)
	}{
		{"name", "not 1 to 64 characters", with(&fake{name: func() string { return "My Provider" }})},
		{"name", "Name changed", with(&fake{name: func() string { return string(rune('a' + names.Add(1)%20)) }})},
		{"config", "Check of a provider that works: no", with(&asking{problem: errors.New("no")})},
		{"send", "Send: plain", withSend(func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
			return notify.Receipt{}, errors.New("plain")
		})},
		{"send", "Send panicked: oh", withSend(func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
			panic("oh")
		})},
		{"send", "same Receipt.MessageID", withSend(func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
			return notify.Receipt{MessageID: "1"}, nil
		})},
		{"send", "ISO 4217", withSend(func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
			return notify.Receipt{Cost: notify.Cost{Micros: 1}}, nil
		})},
		{"send", "Code holds Canaries[0]", withSend(func(_ context.Context, d notify.Delivery[notify.SMS]) (notify.Receipt, error) {
			return notify.Receipt{Code: "sent to " + d.Message.To}, nil
		})},
		{"same key", "call 2 under the same key", withSend(func(_ context.Context, d notify.Delivery[notify.SMS]) (notify.Receipt, error) {
			if _, seen := keys.LoadOrStore(d.Key, true); seen {
				return notify.Receipt{}, failure(notify.VerdictPermanent, nil)
			}
			return notify.Receipt{}, nil
		})},
		{"canceled before", "reports success", withSend(func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
			return notify.Receipt{}, nil
		})},
		{"canceled before", `Verdict is "permanent"`, with(&fake{send: func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
			return notify.Receipt{}, failure(notify.VerdictPermanent, nil)
		}})},
		{"canceled before", "had not returned", briefly(withSend(func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
			<-end
			return notify.Receipt{}, nil
		}))},
		{"concurrent", "64 calls at once", withSend(func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
			defer inside.Add(-1)
			if inside.Add(1) > 1 {
				return notify.Receipt{}, errors.New("busy")
			}
			<-time.After(20 * time.Millisecond)
			return notify.Receipt{}, nil
		})},
		{"capabilities", "Capabilities changed", with(&asking{ask: notify.ErrNotFound, capabilities: func() notify.Capabilities {
			return notify.Capabilities{KeyWindow: time.Duration(calls.Add(1))}
		}})},
		{"capabilities", "KeyWindow is negative", with(&asking{capabilities: func() notify.Capabilities {
			return notify.Capabilities{KeyWindow: -1}
		}})},
		{"capabilities", "Concurrency is negative", with(&asking{capabilities: func() notify.Capabilities {
			return notify.Capabilities{Concurrency: -1}
		}})},
		{"capabilities", "must wrap ErrNotFound", with(&asking{})},
		{"close", "Close: closed already", with(&fake{close: func() func() error {
			closed := false
			return func() error {
				if closed {
					return errors.New("closed already")
				}
				closed = true
				return nil
			}
		}()})},
		{"send", "goroutines are left", briefly(withSend(func(ctx context.Context, d notify.Delivery[notify.SMS]) (notify.Receipt, error) {
			go func() { <-end }()
			return take(ctx, d)
		}))},
		{"fault unreachable", `Verdict is "uncertain"`, faulty(notifytest.FaultUnreachable, failure(notify.VerdictUncertain, nil))},
		{"fault temporary", "not a SendError", faulty(notifytest.FaultTemporary, errors.New("plain"))},
		{"fault temporary", `Verdict is "maybe"`, faulty(notifytest.FaultTemporary, failure("maybe", nil))},
		{"fault permanent", "reports success", faulty(notifytest.FaultPermanent, nil)},
		{"fault permanent", `Class is "odd"`, faulty(notifytest.FaultPermanent,
			&notify.SendError{Verdict: notify.VerdictPermanent, Class: "odd"})},
		{"fault permanent", "Canaries[2]", faulty(notifytest.FaultPermanent,
			failure(notify.VerdictPermanent, errors.New("token s3cret refused")))},
		{"fault permanent", "64 printable", faulty(notifytest.FaultPermanent,
			&notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassOther, Code: "no\nway"})},
		{"fault permanent", "RetryAfter is negative", faulty(notifytest.FaultPermanent,
			&notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassOther, RetryAfter: -1})},
		{"fault throttle", "RetryAfter is not set", faulty(notifytest.FaultThrottle, failure(notify.VerdictThrottled, nil))},
		{"fault cut", `Verdict is "temporary"`, faulty(notifytest.FaultCut, failure(notify.VerdictTemporary, nil))},
		{"fault hang until canceled", `Verdict is "temporary"`, faulty(notifytest.FaultHang, failure(notify.VerdictTemporary, nil))},
		{"fault hang until its deadline", "had not returned", briefly(func(h *harness) {
			h.Faulty[notifytest.FaultHang] = sending(func(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
				<-end
				return notify.Receipt{}, nil
			})
		})},
	}
	for _, test := range tests {
		h := good()
		test.change(&h)
		reports := record(t, func(tb testing.TB) { notifytest.RunProviderCheck(tb, test.check, h) })
		require.Contains(t, reports, test.report, test.check)
	}

	untested := map[string]bool{}
	for _, name := range notifytest.ProviderCheckNames() {
		untested[name] = true
	}
	delete(untested, "message unchanged") // below
	for _, test := range tests {
		delete(untested, test.check)
	}
	require.Empty(t, untested, "checks that no bad provider fails here")
}

// TestProviderSuiteReportsChange has a message of another type, because no
// provider can change an SMS.
func TestProviderSuiteReportsChange(t *testing.T) {
	reports := record(t, func(tb testing.TB) {
		notifytest.RunProviderCheck(tb, "message unchanged", notifytest.ProviderHarness[push]{
			New:     func(testing.TB) notify.Provider[push] { return scribbler{} },
			Message: func() push { return push{Data: map[string]string{"k": "v"}} },
		})
	})
	require.Contains(t, reports, "Send changed the message")
}

type push = notify.Push

type scribbler struct{}

func (scribbler) Name() string { return "scribbler" }

func (scribbler) Send(_ context.Context, d notify.Delivery[push]) (notify.Receipt, error) {
	d.Message.Data["k"] = "changed"
	return notify.Receipt{}, nil
}

// TestProviderSuiteReportsDescriptors leaves a file open.
func TestProviderSuiteReportsDescriptors(t *testing.T) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skip("this system does not show a process's descriptors")
	}
	var open []*os.File
	h := good()
	h.Bound = 100 * time.Millisecond
	h.New = sending(func(ctx context.Context, d notify.Delivery[notify.SMS]) (notify.Receipt, error) {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return notify.Receipt{}, err
		}
		open = append(open, f)
		return take(ctx, d)
	})
	reports := record(t, func(tb testing.TB) { notifytest.RunProviderCheck(tb, "send", h) })
	for _, f := range open {
		require.NoError(t, f.Close())
	}
	require.Contains(t, reports, "descriptors are left")
}
