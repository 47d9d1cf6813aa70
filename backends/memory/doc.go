// Package memory is the backend that keeps everything in the memory of one
// process: topics, the positions of groups, delayed messages, records and dead
// letters. What is in it is lost when the process ends; nothing is lost before.
//
// # The log
//
// A topic is one log. A message is appended to it once, whatever the number of
// groups, and every group reads it through a cursor of its own. Appending never
// blocks. A topic forgets what every group has passed; what a group has not
// passed is kept up to [Config.Retention], beyond which the group is moved
// forward and told so by Consumption.Skipped. A dead group therefore costs the
// others nothing, and memory stays bounded.
//
// # Consuming
//
// One worker goes through a group's messages in large batches. When a handler
// takes longer than a few milliseconds, the messages that it has not claimed
// are taken back and given to further workers, up to Consumption.Concurrency;
// only the key of the message it is at waits for it. Claiming the next message
// says that the one before is finished.
//
// A message that fails waits for its back-off while the messages of its key
// queue behind it. Queues are bounded ([Config.MaxParkedPerKey],
// [Config.MaxParked]). What has no room behind a message that failed goes to
// Consumption.Overflow. Otherwise, at the bound the group reads no further until
// a queue has shrunk. Nothing is dropped for that: what is not read stays in the
// log, within its retention.
//
// A handler that returns without an error and without finishing anything gets
// the same messages again at once.
//
// Messages that Handle gets are shared by all groups, and must not be changed.
// Subscribers in Watermill's form get copies.
package memory
