// Package postgres is the backend in a PostgreSQL database (13 or newer), which
// any number of processes share: topics, the positions of groups, delayed
// messages, records, dead letters, the timeline, what was spent, webhooks and the
// suppression list are tables. It also keeps the records of programs whose
// messages travel over another backend, such as Kafka, and sends within the host's
// own transactions.
//
//	n, err := notify.New(notify.Config{Backend: postgres.New("postgres://app@db/app"), AddressKey: key})
//
//	records := postgres.Records("postgres://app@db/app")
//	n, err := notify.New(notify.Config{Backend: kafka.New(brokers), Records: records, AddressKey: key})
//
//	id, err := postgres.SendTx(ctx, n, tx, notification) // with the host's own rows, or not at all
//
// # Writing
//
// A step of the pipeline, the record with the messages that it causes, is one
// statement. Statements of callers that write at the same time share
// transactions, and with that the server's waiting for the disk. What was
// committed is announced to other processes by NOTIFY, after the commit; where
// an announcement is lost, they find it by polling ([Config.Poll]).
//
// # Reading
//
// Transactions commit in another order than they write. So the order of a topic
// is that of the transactions' IDs, and a group reads only what is below every
// transaction that is still open: it never passes a row that commits late. The
// price is that a transaction that has written and stays open, in any database of
// the server, holds up the delivery of what was written after it began. The
// Logger is told when that takes longer than 10 seconds.
//
// What a process has read and not finished counts only as long as the server runs:
// after a restart or a failover, which may have lost what came last, it reads on
// from the positions that the server has.
//
// # Sharing
//
// A message belongs to one of 16 partitions ([Config.Partitions]), by the hash of
// its key. The processes that consume for a group hold leases on its partitions,
// a fair share each, and renew them; what a process held that died goes to the
// others when its leases end, after [Config.Lease], or at once if it left in
// order. Leases are compared with the database's clock only. A process that was
// frozen meanwhile hands out nothing more when it thaws, except for the batch
// that was in a handler's hands, and cannot move a position: each write asks for
// the epoch of its lease. Messages of a group that are under way when their
// process dies are delivered again.
//
// A message that failed, and what queues behind it, is written down with its
// attempts; the group's position goes on without it.
package postgres
