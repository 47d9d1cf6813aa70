// Package fanout is how messages in memory reach consumer groups: a log that
// every group reads at its own pace, in the order of each key, many keys at once.
//
// Each [Group] has a cursor in the log and takes runs of it, which are the
// batches of its workers. Only where runs overlap, or a message failed, do keys
// get lanes of their own.
package fanout
