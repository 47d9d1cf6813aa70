package notifytest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

func delivery(key, text string) notify.Delivery[notify.SMS] {
	return notify.Delivery[notify.SMS]{Key: key, NotificationID: "n", Message: notify.SMS{To: "+4930123456", Text: text}}
}

func TestOutcomes(t *testing.T) {
	for name, test := range map[string]struct {
		outcome notifytest.Outcome
		verdict notify.Verdict // nothing: it succeeds
		class   notify.FailureClass
		effects int
		took    time.Duration
	}{
		"succeed":        {notifytest.Succeed(), "", "", 1, 0},
		"slow":           {notifytest.Succeed().After(time.Second), "", "", 1, time.Second},
		"too slow":       {notifytest.Succeed().After(time.Hour), notify.VerdictUncertain, notify.ClassTimeout, 0, time.Minute},
		"temporary":      {notifytest.FailTemporarily(notify.ClassService, "503"), notify.VerdictTemporary, notify.ClassService, 0, 0},
		"throttle":       {notifytest.Throttle(time.Hour), notify.VerdictThrottled, notify.ClassThrottle, 0, 0},
		"permanent":      {notifytest.FailPermanently(notify.ClassPolicy, "spam"), notify.VerdictPermanent, notify.ClassPolicy, 0, 0},
		"answer lost":    {notifytest.LoseAnswer(), notify.VerdictUncertain, notify.ClassNetwork, 1, 0},
		"call lost":      {notifytest.LoseCall(), notify.VerdictUncertain, notify.ClassNetwork, 0, 0},
		"hang":           {notifytest.Hang(), notify.VerdictUncertain, notify.ClassTimeout, 0, time.Minute},
		"hang, arrived":  {notifytest.Hang().Arrived(), notify.VerdictUncertain, notify.ClassTimeout, 1, time.Minute},
		"plain":          {notifytest.PlainError("no"), notify.VerdictUncertain, notify.ClassOther, 0, 0},
		"plain, arrived": {notifytest.PlainError("no").Arrived(), notify.VerdictUncertain, notify.ClassOther, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := notifytest.NewProvider[notify.SMS]("text")
				p.Next(test.outcome)
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				began := time.Now()
				_, err := p.Send(ctx, delivery("k", "hi"))
				require.Equal(t, test.took, time.Since(began))
				require.Equal(t, test.effects, p.Effects())
				if test.verdict == "" {
					require.NoError(t, err)
					return
				}
				failure := notify.AsSendError(err)
				require.Equal(t, test.verdict, failure.Verdict)
				require.Equal(t, test.class, failure.Class)
			})
		})
	}
}

func TestPanicOutcome(t *testing.T) {
	t.Parallel()
	p := notifytest.NewProvider[notify.SMS]("text")
	p.Next(notifytest.Panic("a"), notifytest.Panic("b").Arrived())
	require.PanicsWithValue(t, "a", func() { _, _ = p.Send(t.Context(), delivery("k", "hi")) })
	require.Zero(t, p.Effects())
	require.PanicsWithValue(t, "b", func() { _, _ = p.Send(t.Context(), delivery("k", "hi")) })
	require.Equal(t, 1, p.Effects())
}

// Keys count in their window, and only of a service that honours them.
func TestEffectsOfKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		unkeyed := notifytest.NewProvider[notify.SMS]("unkeyed")
		keyed := notifytest.NewProvider[notify.SMS]("keyed", func(c *notify.Capabilities) { c.KeyWindow = time.Hour })
		require.Equal(t, time.Hour, keyed.Capabilities().KeyWindow)
		for range 3 {
			_, err := unkeyed.Send(t.Context(), delivery("k", "hi"))
			require.NoError(t, err)
			receipt, err := keyed.Send(t.Context(), delivery("k", "hi"))
			require.NoError(t, err)
			require.Equal(t, "keyed-1", receipt.MessageID)
		}
		require.Equal(t, 3, unkeyed.Effects())
		require.Equal(t, 1, keyed.Effects())
		require.Equal(t, []string{"k", "k", "k"}, keyed.Keys())

		_, err := keyed.Send(t.Context(), delivery("k", "something else"))
		require.Equal(t, "key_reused", notify.AsSendError(err).Code)
		time.Sleep(time.Hour)
		_, err = keyed.Send(t.Context(), delivery("k", "something else"))
		require.NoError(t, err)
		require.Equal(t, 2, keyed.EffectsOf("n"))
		require.Zero(t, keyed.EffectsOf("another"))
		require.Equal(t, "keyed-2", keyed.Receipts("n")[1].MessageID)
	})
}

func TestAsk(t *testing.T) {
	t.Parallel()
	p := notifytest.NewAskableProvider[notify.SMS]("text")
	var asker notify.Asker = p
	p.Next(notifytest.LoseAnswer(), notifytest.LoseCall())
	_, _ = p.Send(t.Context(), delivery("k1", "hi"))
	_, _ = p.Send(t.Context(), delivery("k2", "hi"))
	receipt, err := asker.Ask(t.Context(), "k1")
	require.NoError(t, err)
	require.Equal(t, "text-1", receipt.MessageID)
	_, err = asker.Ask(t.Context(), "k2")
	require.ErrorIs(t, err, notify.ErrNotFound)
	down := errors.New("no connection")
	p.FailAsking(down)
	_, err = asker.Ask(t.Context(), "k1")
	require.ErrorIs(t, err, down)
	require.Equal(t, []string{"k1", "k2", "k1"}, p.Asked())

	var plain any = notifytest.NewProvider[notify.SMS]("text")
	_, can := plain.(notify.Asker)
	require.False(t, can, "only an AskableProvider can be asked")
}

// The fakes keep the contract of providers themselves. Not parallel: the suite
// counts goroutines.
func TestTheFakeKeepsTheContract(t *testing.T) {
	harness := notifytest.ProviderHarness[notify.SMS]{
		New:     func(testing.TB) notify.Provider[notify.SMS] { return notifytest.NewProvider[notify.SMS]("text") },
		Message: func() notify.SMS { return notify.SMS{To: "+4930123456", Text: "hi"} },
		Faulty:  map[notifytest.Fault]func(testing.TB) notify.Provider[notify.SMS]{},
	}
	for fault, outcome := range map[notifytest.Fault]notifytest.Outcome{
		notifytest.FaultUnreachable: notifytest.FailTemporarily(notify.ClassNetwork, "refused"),
		notifytest.FaultTemporary:   notifytest.FailTemporarily(notify.ClassService, "503"),
		notifytest.FaultPermanent:   notifytest.FailPermanently(notify.ClassAddress, "550"),
		notifytest.FaultThrottle:    notifytest.Throttle(time.Second),
		notifytest.FaultCut:         notifytest.LoseAnswer(),
		notifytest.FaultHang:        notifytest.Hang(),
	} {
		harness.Faulty[fault] = func(testing.TB) notify.Provider[notify.SMS] {
			p := notifytest.NewProvider[notify.SMS]("text")
			p.Always(outcome)
			return p
		}
	}
	notifytest.TestProvider(t, harness)
}
