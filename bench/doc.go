// Package bench measures what it costs to get an event to its observers: with
// notify, and side by side with other ways to do it in Go.
//
// There is one job. Events are published one by one, with at most 1,024
// outstanding, to 1, 10 or 100 observers, and the measurement ends when every
// observer has handled every event. A [Side] is one way to do the job; package
// sides has them all. [FanOut] makes one of them do it, and returns the [Cost].
//
// [SendToSettled], [DeadObserver], [HoldInFlight] and [Cycle] measure what only
// notify does.
//
// The command in compare does all that, interleaved in one process, and holds
// the result against the budgets:
//
//	go run ./compare
//
// The same jobs are testing.B benchmarks, for benchstat:
//
//	go test -run '^$' -bench . -count 10
package bench
