// Package window is the half of consuming that a durable backend shares with
// every other: how messages that were read from its log reach the handlers of a
// consumer group.
//
// A [Window] holds what was read for a group and is not finished. The backend's
// reader adds to it, as far as there is [Window.Room]; the group's members in
// this process consume from it, in the order of each key and many keys at once,
// as [backend.Consumer] says; and [Window.Position] says what the backend has to
// write down so that a crash loses nothing.
//
// A failed message, and what queues behind it, is in Position.Waiting: a backend
// that writes it down need not keep its position back for it, and gives it to
// [Window.Restore] after a restart. One that can write a single number only, such
// as Kafka's, writes [Window.Low].
package window
