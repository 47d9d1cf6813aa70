// Package notifytest helps to test hosts of notify and what they plug into it.
//
// [Run] gives a test a [Bench]: a real [notify.Notifier] on the backend in
// memory, with the clock of testing/synctest, so that retries, windows and
// schedules of days take no time. A [Provider] stands for a service, and fails
// in every way that a service can when it is told to. What happened is compared
// with patterns, and printed when it was something else:
//
//	func TestPushFallsBackToMail(t *testing.T) {
//		notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
//			push := notifytest.NewProvider[notify.Push]("push")
//			push.Next(notifytest.FailPermanently(notify.ClassAddress, "410"))
//			mail := notifytest.NewProvider[notify.Email]("mail")
//			notify.Use(b.Notifier, push)
//			notify.Use(b.Notifier, mail)
//
//			id := b.Send(welcome)
//			b.Settle(id)
//			b.Require(id,
//				notifytest.State(notify.StateSent),
//				notifytest.Sequence(notify.Failed{Reason: notify.EndRejected}, notify.FailedOver{}, notify.Sent{}),
//			)
//		})
//	}
//
// [WireOnly] and [Apart] take optional interfaces from a backend, to test that a
// program does not depend on them. [TestBackend], [TestRecords] and [TestProvider]
// are the conformance suites of what can be plugged in.
//
// The package is for tests only.
package notifytest
