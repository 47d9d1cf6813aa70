// Package backend holds the contracts between notify and the system that
// carries its messages and keeps its records.
//
// A [Backend] is a Watermill publisher and, per consumer group, a Watermill
// subscriber: nothing more is needed to plug one in. A backend that can do more
// implements more interfaces of this package, each found by type assertion:
//
//   - [Consumer] delivers batches itself, in the order of each key;
//   - [Positioner] fixes, moves, measures and awaits a group's position;
//   - [DelayedPublisher] holds a message until a time;
//   - [Records] keeps one record per notification, changed by compare-and-set;
//   - [Presence] tells which owners of leases are alive, where one process has
//     the records for itself;
//   - [Atomic] stores a record and publishes what it causes in one transaction;
//   - [Transactor] does the same within a transaction of the host's;
//   - [DeadLetters] keeps what an observer could not handle;
//   - [DeadLetterCounter] counts that without reading it;
//   - [Admitter] makes a sender wait while too much work is queued;
//   - [Tailer] shows the messages of one key without a group;
//   - [LocalPublisher] takes values of this process without serialising them;
//   - [SecretKeeper] makes and keeps random secrets.
//
// The package imports Watermill's message package and the standard library
// only, so a backend can be written against it without importing notify.
package backend
