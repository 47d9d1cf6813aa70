package notifytest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// TestBackendSuiteReports breaks one promise at a time, and looks whether its
// check says so.
func TestBackendSuiteReports(t *testing.T) {
	of := func(wrap func(b *memory.Backend) any) func() any {
		return func() any { return wrap(memory.New(small)) }
	}
	tests := []struct {
		check, report string
		broken        func() any
	}{
		{"features", "Features.Admitter is true", of(func(b *memory.Backend) any { return struct{ backend.Backend }{b} })},
		{"a consumption is checked", "without a Topic: the error is nil", func() any {
			return consuming{memory.New(), func(context.Context, backend.Consumption, *memory.Backend) error { return nil }}
		}},
		{"a consumption that has ended", "though its context had ended", deliversAfterTheEnd},
		{"keys one at a time in order", "came when", wrapped(reorders)},
		{"keys one at a time in order", "in hand at once", oneByOne(overlaps)},
		{"keys one at a time in order", "message 8 came when 7 was next", oneByOne(drops)},
		{"a slow key holds up no other", "not yet: the other keys", altered(func(_ context.Context, c *backend.Consumption, _ *memory.Backend) {
			c.Concurrency = 1
		})},
		{"concurrency is bounded", "with a Concurrency of 3", altered(func(_ context.Context, c *backend.Consumption, _ *memory.Backend) {
			c.Concurrency++
		})},
		{"concurrency is bounded", "1 messages were handled at once", altered(func(_ context.Context, c *backend.Consumption, _ *memory.Backend) {
			c.Concurrency = 1
		})},
		{"batches are bounded", "with a MaxBatch of 3", altered(func(_ context.Context, c *backend.Consumption, _ *memory.Backend) {
			c.MaxBatch++
		})},
		{"the rest of a batch is given back", "what was given back", wrapped(keepsWhatWasGivenBack)},
		{"messages without a key", "50 of 100", oneByOne(drops)},
		{"a failed message comes again", "delivered 3 times, and failed 3 times", wrapped(miscounts)},
		{"a failed message comes again", "in a batch of 2", wrapped(redeliversInBatch)},
		{"a failed message comes again", "before its pause", altered(func(_ context.Context, c *backend.Consumption, _ *memory.Backend) {
			pause := c.Backoff
			c.Backoff = func(attempt int, err error) time.Duration { return pause(attempt, err) / 2 }
		})},
		{"a failing key stops no other", "not yet: the keys that do not fail", wrapped(retriesInPlace)},
		{"a parked key queues in order", "came when", wrapped(requeues)},
		{"the default pause doubles", "the default is", altered(func(_ context.Context, c *backend.Consumption, _ *memory.Backend) {
			c.Backoff = func(int, error) time.Duration { return time.Second }
		})},
		// By a message that never comes, or by one that comes in its place.
		{"every group gets everything", "group ", altered(func(_ context.Context, c *backend.Consumption, _ *memory.Backend) {
			c.Group = "one for all"
		})},
		{"a slow group holds up no other", "beside a group that is stuck: after 3m0s", oneAtATime()},
		{"members share", "two messages of key", apart()},
		{"what is under way may finish", "canceled with Consume's", wrapped(cancelsHandlers)},
		{"what is under way may finish", "before its handler did", hasty},
		{"others take over from who leaves", "the member that took over", wrapped(losesOnLeaving)},
		{"positions outlive members", "came again after it was finished", apart()},
		{"a position is fixed at once", "message 0 came when", of(func(b *memory.Backend) any { return noFix{b} })},
		{"a position can be renamed", "message 0 came when 3 was next", of(func(b *memory.Backend) any { return noRename{b} })},
		{"a position can be forgotten", "message 3 came when 5 was next", of(func(b *memory.Backend) any { return noForget{b} })},
		{"lag and catching up", "Lag is 0", of(func(b *memory.Backend) any { return noLag{b} })},
		{"lag and catching up", "CatchUp while nobody consumes", of(func(b *memory.Backend) any { return noCatchUp{b} })},
		{"what is published arrives unchanged", "arrived with metadata", of(func(b *memory.Backend) any { return barePublisher{b, false} })},
		{"subscribers of Watermill", "had no message", of(func(b *memory.Backend) any { return nacksAreAcks{b} })},
		{"handles can be closed", "closed", of(func(b *memory.Backend) any { return barePublisher{b, true} })},
		{"delayed messages", "before its time", of(func(b *memory.Backend) any { return tooEarly{b} })},
		{"delayed messages", "came when 1 was next", of(func(b *memory.Backend) any { return someLate{b} })},
		{"admission", "where MaxWork messages wait", of(func(b *memory.Backend) any { return admitsAll{b} })},
		{"local messages", "another value than", of(func(b *memory.Backend) any { return encodesLocal{b} })},
		{"secrets", "a secret changed", of(func(b *memory.Backend) any { return &newSecrets{Backend: b} })},
		{"a key's messages without a group", "from the start: [0 1 2 -1 -1] came", tails("key")},
		{"a key's messages without a group", "since a time: [0 1] came", tails("since")},
		{"a key's messages without a group", "after 3m0s, [] came, and [5 6] was published", tails("more")},
		{"looking can be ended", "ended with context canceled", tails("end")},
		{"who is present", `"a" is true after it left`, of(func(b *memory.Backend) any { return neverLeave{b} })},
		{"who is present", `"a" is false after it entered`, of(func(b *memory.Backend) any { return nobodyEnters{b} })},
		{"who is present", "left for the first time once more", of(func(b *memory.Backend) any { return leavesAgain{b, map[string]int{}} })},
		{"records are kept as written", "other fields", of(func(b *memory.Backend) any { return noTimes{b} })},
		{"records change by compare-and-set", "Store of revision 0 over 2", of(func(b *memory.Backend) any { return ignoresRevision{b} })},
		{"one of many writers wins", `body "`, of(func(b *memory.Backend) any { return ignoresRevision{b} })},
		{"aliases stay with their first holder", `"b" is held by "second"`, of(func(b *memory.Backend) any { return &aliasesMove{Backend: b} })},
		{"records that are due", "Due returned [c b a]", of(func(b *memory.Backend) any { return dueInDisorder{b} })},
		{"records that are due", "next record is due", of(func(b *memory.Backend) any { return neverDueNext{b} })},
		{"records expire", "Expire deleted 0", of(func(b *memory.Backend) any { return neverExpires{b} })},
		{"records can be deleted", "Delete of another revision", of(func(b *memory.Backend) any { return ignoresRevision{b} })},
		{"records have a cap", "Store beyond the cap", func() any { return memory.New() }},
		{"dead letters", "Letters(", of(func(b *memory.Backend) any { return lettersFromTheStart{b} })},
		{"dead letters are counted", "CountLetters returned map[]", of(func(b *memory.Backend) any { return neverCounts{b} })},
		{"dead letters have a cap", "dropped is false", func() any { return memory.New() }},
		{"a commit does both or neither", "message 77 came", of(func(b *memory.Backend) any { return publishesFirst{b} })},
		{"who sees the message finds the record", "before its record", of(func(b *memory.Backend) any { return publishesFirst{b} })},
		{"a commit takes local messages", "another than the one that was committed", of(func(b *memory.Backend) any { return commitsEncoded{b} })},
		{"closing ends consuming", "after Close, Consume had not returned", of(func(b *memory.Backend) any { return &staysOpen{Backend: b} })},
		{"a closed backend says so", "Publish of a closed backend: the error is <nil>", of(func(b *memory.Backend) any { return &staysOpen{Backend: b} })},
	}
	untested := map[string]bool{}
	for _, name := range notifytest.BackendCheckNames() {
		untested[name] = true
	}
	for _, test := range tests {
		delete(untested, test.check)
		t.Run(test.check, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				reports := record(t, func(tb testing.TB) {
					notifytest.RunBackendCheck(tb, test.check, func(testing.TB) any { return test.broken() }, ofMemory())
				})
				require.Contains(t, reports, test.report)
			})
		})
	}
	require.Empty(t, untested, "checks that no broken backend fails here")
}

// Not parallel: leaks are counted over the process.
func TestBackendSuiteReportsLeaks(t *testing.T) {
	f := ofMemory()
	f.Synctest, f.Patience = false, 2*time.Second
	released := make(chan struct{})
	reports := record(t, func(tb testing.TB) {
		notifytest.RunBackendCheck(tb, "secrets", func(testing.TB) any { return leaks{memory.New(small), released} }, f)
	})
	close(released)
	require.Contains(t, reports, "goroutines are left")
}
