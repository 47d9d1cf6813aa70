package main

import (
	"context"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// kept wraps [backend.Records].
type kept struct {
	records backend.Records
	points  *points
}

func (k kept) Load(ctx context.Context, id string) (backend.Record, error) {
	return k.records.Load(ctx, id)
}

func (k kept) LoadAlias(ctx context.Context, alias string) (backend.Record, error) {
	return k.records.LoadAlias(ctx, alias)
}

func (k kept) Store(ctx context.Context, r backend.Record) (revision int64, err error) {
	err = k.points.at("store "+storedName(r), func() error {
		revision, err = k.records.Store(ctx, r)
		return err
	})
	return revision, err
}

func (k kept) Due(ctx context.Context, now time.Time, limit int) ([]string, time.Time, error) {
	return k.records.Due(ctx, now, limit)
}

func (k kept) Expire(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = k.points.at("expire", func() error {
		n, err = k.records.Expire(ctx, now, limit)
		return err
	})
	return n, err
}

func (k kept) Delete(ctx context.Context, id string, revision int64) error {
	return k.points.at("delete", func() error { return k.records.Delete(ctx, id, revision) })
}

// storedName tells what a write is about: a record, or reports that wait for
// theirs.
func storedName(r backend.Record) string {
	if strings.HasPrefix(r.ID, "parked/") {
		return "parked"
	}
	return "record"
}

// committing wraps a [backend.Atomic]'s Commit.
type committing struct {
	committer committer
	points    *points
}

func (c committing) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (revision int64, err error) {
	err = c.points.at("commit "+committedName(out), func() error {
		revision, err = c.committer.Commit(ctx, r, out)
		return err
	})
	return revision, err
}

// committedName tells what a commit is about: its first event, or its work.
func committedName(out []backend.Publication) string {
	if len(out) == 0 {
		return "record"
	}
	return nameOf(out[0].Topic, out[0].Message)
}

// buried wraps [backend.DeadLetters].
type buried struct {
	backend.DeadLetters
	points *points
}

func (b buried) Bury(ctx context.Context, d backend.DeadLetter) (id string, dropped bool, err error) {
	err = b.points.at("bury", func() error {
		id, dropped, err = b.DeadLetters.Bury(ctx, d)
		return err
	})
	return id, dropped, err
}

func (b buried) Unbury(ctx context.Context, id string) error {
	return b.points.at("unbury", func() error { return b.DeadLetters.Unbury(ctx, id) })
}
