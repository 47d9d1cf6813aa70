// Package window is the part of consuming that is the same for every durable
// backend: how messages that were read from its log reach the handlers of a
// consumer group.
//
// A [Window] holds what was read for a group and is not finished. The backend's
// reader adds to it, as far as there is [Window.Room]; the group's members in
// this process consume from it, in the order of each key and many keys at once,
// as [backend.Consumer] says; and [Window.Position] says what the backend has to
// store so that a crash loses nothing.
//
// A failed message, and what queues behind it, is in Position.Waiting: a backend
// that stores it need not hold its position back for it, and passes it to
// [Window.Restore] after a restart. A backend that can store a single number
// only, such as Kafka, stores [Window.Low].
package window
