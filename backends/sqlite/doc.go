// Package sqlite is the backend for one machine that loses nothing: one SQLite
// file holds topics, the positions of groups, delayed messages, records, dead
// letters, secrets, the timeline, what was spent, and what webhooks and
// suppressions keep: see [Backend.Timeline], [Backend.Costs], [Backend.Webhooks]
// and [Backend.Suppression].
//
//	n, err := notify.New(notify.Config{Backend: sqlite.Open("notify.db")})
//
// One process at a time has the file: see [ErrLocked]. SQLite itself comes with
// the module, in Go (modernc.org/sqlite).
//
// # Writing
//
// What a method has returned without an error is on disk: the database is in
// WAL mode, with synchronous=FULL. There is one writer. What callers want
// written at the same time becomes one transaction, and one wait for the disk;
// each of them has its own outcome. A step of the pipeline (see
// [Backend.Commit]) is in one transaction.
//
// # Consuming
//
// A group reads a topic in pages, woken when something is appended, and holds
// about a thousand messages at a time: see package backend/window for how they
// reach the handlers. The last 1,024 messages of a topic (4 MiB at most) are in
// memory too, so that groups that keep up read no file. How far a group is, and which messages of it failed and
// wait, is written with what is written anyway, or after 20 milliseconds. A
// message that fails holds back neither its group's position nor the retention,
// and its attempts survive a restart.
//
// # Retention
//
// What every group has finished is kept for [Config.RetainFor] and up to
// [Config.RetainMessages]; what a group has not finished is kept until it has,
// or is abandoned: see [Config.AbandonAfter]. Deleting goes in small
// transactions. Freed space is used again; where it is more than a quarter of
// the file, the file shrinks.
//
// # The file
//
// The tables are made to be read by people; the README of the package describes
// them, with queries. Reading them with the sqlite3 shell while the program runs
// is fine. Copying the file is not: use the shell's .backup. Do not write to the
// file while the program runs: it assumes that nobody else does, and may not see
// it.
package sqlite
