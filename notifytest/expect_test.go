package notifytest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

// judge is a test that writes down what fails it.
type judge struct {
	testing.TB
	said   []string
	failed bool
}

func (j *judge) Helper()      {}
func (j *judge) Failed() bool { return j.failed }

func (j *judge) Errorf(format string, args ...any) {
	j.failed = true
	j.said = append(j.said, fmt.Sprintf(format, args...))
}

// Fatalf panics, as the end of a test's goroutine is not at hand.
func (j *judge) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	panic(j)
}

// judged returns what an expectation says of a notification that was retried
// once and sent.
func judged(t *testing.T, expected ...notifytest.Expectation) []string {
	t.Helper()
	j := &judge{TB: t}
	notifytest.Run(t, func(t *testing.T, _ *notifytest.Bench) {
		j.TB = t
		b := notifytest.Open(j)
		b.Patience = time.Hour
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(notifytest.Throttle(time.Minute))
		notify.Use(b.Notifier, mail)
		nt := welcome
		nt.Route = notify.First(notify.EmailChannel)
		id := b.Send(nt)
		b.Settle(id)
		defer func() {
			if p := recover(); p != nil && p != any(j) {
				panic(p)
			}
			j.failed = false
			b.Close()
		}()
		b.Require(id, expected...)
	})
	return j.said
}

func TestExpectations(t *testing.T) {
	all := []any{
		notify.Accepted{},
		notify.Routed{},
		notify.Rendered{},
		notify.Sending{},
		notify.Retrying{},
		notify.Sending{},
		notify.Sent{},
		notify.Settled{},
	}
	swapped := append([]any{}, all...)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	at := func(leg int) notify.Attempt { return notify.Attempt{Leg: notify.Leg{Leg: leg}} }
	for name, test := range map[string]struct {
		expected notifytest.Expectation
		says     string // nothing: it is met
	}{
		"exactly":               {notifytest.Exactly(all...), ""},
		"exactly, fewer":        {notifytest.Exactly(all[:7]...), "want 7 events, there are 8"},
		"exactly, more":         {notifytest.Exactly(append(all, notify.Opened{})...), "event 9 is missing, want notify.Opened"},
		"exactly, other order":  {notifytest.Exactly(swapped...), "event 4 is a notify.Sending, want notify.Retrying"},
		"sequence":              {notifytest.Sequence(notify.Accepted{}, notify.Sent{}), ""},
		"sequence, other order": {notifytest.Sequence(notify.Sent{}, notify.Accepted{}), "1 of 2 events of a sequence came; the next to come is notify.Accepted"},
		"count":                 {notifytest.Count(2, notify.Sending{}), ""},
		"count, other":          {notifytest.Count(3, notify.Sending{}), "2 events match notify.Sending, want 3"},
		"once":                  {notifytest.Once(notify.Sent{}), ""},
		"once, none":            {notifytest.Once(notify.Opened{}), "0 events match notify.Opened, want 1"},
		"never":                 {notifytest.Never(notify.Failed{}), ""},
		"never, once":           {notifytest.Never(notify.Sent{}), "1 events match notify.Sent, want 0"},
		"state":                 {notifytest.State(notify.StateSent), ""},
		"state, other":          {notifytest.State(notify.StateFailed), `the state is "sent", want "failed"`},
		"at":                    {notifytest.At(time.Minute, notify.Sent{}), ""},
		"at, other":             {notifytest.At(0, notify.Sent{}), "notify.Sent came after 1m0s, want 0s"},
		"at, never":             {notifytest.At(0, notify.Opened{}), "no event matches notify.Opened"},
		"a field":               {notifytest.Once(notify.Settled{Attempts: 2, State: notify.StateSent}), ""},
		"a field, other":        {notifytest.Once(notify.Settled{Attempts: 1}), "0 events match"},
		"inner field":           {notifytest.Count(2, notify.Sending{Attempt: at(1)}), ""},
		"inner field, other":    {notifytest.Never(notify.Sending{Attempt: at(1)}), "2 events match"},
		"inner field, none":     {notifytest.Never(notify.Sending{Attempt: at(2)}), ""},
		"time":                  {notifytest.Once(notify.Retrying{NextAt: time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC)}), ""},
		"time, other":           {notifytest.Once(notify.Retrying{NextAt: time.Date(2000, 1, 1, 0, 2, 0, 0, time.UTC)}), "0 events match"},
		"route":                 {notifytest.Once(notify.Routed{Plan: notify.First(notify.EmailChannel)}), ""},
		"route, other":          {notifytest.Once(notify.Routed{Plan: notify.All(notify.EmailChannel)}), "0 events match"},
		"that":                  {notifytest.Once(notifytest.That(func(s notify.Sent) bool { return s.Final })), ""},
		"that, other":           {notifytest.Once(notifytest.That(func(s notify.Sent) bool { return !s.Final })), "0 events match notify.Sent that …"},
		"that of an interface":  {notifytest.Count(4, notifytest.That(func(interface{ AttemptRef() notify.Attempt }) bool { return true })), ""},
		"nil":                   {notifytest.Never(nil), "a pattern of type <nil> matches nothing"},
		"pointer":               {notifytest.Never(&notify.Failed{}), "a pattern of type *notify.Failed matches nothing: give an event as it is"},
		"pointer, later":        {notifytest.Sequence(notify.Sent{}, &notify.Settled{}), "a pattern of type *notify.Settled matches nothing"},
		"pointer, exactly":      {notifytest.Exactly(&notify.Failed{}), "a pattern of type *notify.Failed matches nothing"},
		"pointer, at":           {notifytest.At(0, &notify.Sent{}), "a pattern of type *notify.Sent matches nothing"},
		"text":                  {notifytest.Never("failed"), "a pattern of type string matches nothing"},
		"raw":                   {notifytest.Never(notify.Raw("{}")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := judged(t, test.expected)
			if test.says == "" {
				require.Empty(t, said)
				return
			}
			require.Len(t, said, 2)
			require.Contains(t, said[0], test.says)
			require.Contains(t, said[1], "+1m0s  notify.sent.v1", "the timeline is printed")
		})
	}
}

func TestUntilGivesUp(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, _ *notifytest.Bench) {
		j := &judge{TB: t}
		b := notifytest.Open(j)
		b.Patience = time.Minute
		b.Start()
		require.Panics(t, func() { b.Settle("no-such-id") })
		require.Contains(t, j.said[0], "no event of no-such-id matched notify.Settled within 1m0s")
		require.Contains(t, j.said[0], "(no events)")
		j.failed = false
	})
}

func TestWhatKeepsTheNotifierFromRunningFailsTheTest(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, _ *notifytest.Bench) {
		j := &judge{TB: t}
		b := notifytest.Open(j)
		notify.Use[notify.Email](b.Notifier, nil)
		require.Panics(t, b.Start)
		require.Contains(t, j.said[0], "the provider is nil")
		j.failed = false
	})
}
