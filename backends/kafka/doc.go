// Package kafka is the backend for programs that run on more than one machine:
// topics, consumer groups and delayed messages in a Kafka cluster. Records and
// dead letters are not in Kafka; a program brings them along, in PostgreSQL for
// instance:
//
//	records := postgres.Records("postgres://app@db/app")
//	n, err := notify.New(notify.Config{Backend: kafka.New(brokers), Records: records, AddressKey: key})
//
// A cluster of a single broker needs Replication 1 in its [Config].
//
// # Publishing
//
// A call of Publish is one write of all its messages, with a request to each
// broker that leads a partition of theirs, idempotent, and acknowledged by every
// replica in sync. Records are CloudEvents in the binary mode of their Kafka
// binding: the metadata is headers, the payload the value, the message's key the
// record's. Messages of one key are in one partition, in their order; those
// without a key share one.
//
// # Consuming
//
// A call of Consume is a member of a group. Of each partition that it is
// assigned it reads ahead, a bounded number of messages, and hands them to
// handlers: in the order of each key, many keys of a partition at once. What is
// committed is the first message that is not finished, so a crash repeats
// messages and skips none. Messages that wait for another attempt are noted beside
// the offset, with their attempts, so that what was finished beyond them is not
// repeated, as far as 4,000 bytes of metadata go: for some hundreds of them. When
// a partition moves to another member, nothing more of it is handed out, handlers
// may finish, and the position is written, in that order.
//
// # Positions
//
// No group begins by chance. [Backend.Fix] says where a new one begins; which
// groups are known is in a topic of its own, so a known group whose offsets the
// cluster has lost is an error ([ErrPositionLost]) and no new group. A partition
// that was added to the topic begins at its oldest message. A group that fell
// behind what the topic keeps goes on at the oldest message, and
// Consumption.Skipped is told.
//
// # Topics
//
// Topics are created when they are first used, with the partitions, replicas and
// retention of [Config]. One that exists is checked: weaker settings are an error
// that says how to change them, here or there. Beside those of its user the
// backend has two topics, "notify.groups" and "notify.delays".
package kafka
