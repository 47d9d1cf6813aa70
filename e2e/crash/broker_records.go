package main

import (
	"errors"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// Fault is an error on the wire.
type Fault struct{ Text, Wraps string }

var sentinels = map[string]error{
	"conflict": backend.ErrConflict, "not found": backend.ErrNotFound,
	"overloaded": backend.ErrOverloaded, "closed": backend.ErrClosed,
}

func faultOf(err error) (f Fault) {
	if err == nil {
		return f
	}
	f.Text = err.Error()
	for name, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			f.Wraps = name
		}
	}
	return f
}

// err returns the error again, or nil.
func (f Fault) err() error {
	if f.Text == "" {
		return nil
	}
	return &farError{f.Text, sentinels[f.Wraps]}
}

type farError struct {
	text  string
	wraps error
}

func (e *farError) Error() string { return e.text }
func (e *farError) Unwrap() error { return e.wraps }

// Row is a record on the wire.
type Row struct {
	ID           string
	Revision     int64
	Body         []byte
	Aliases      []string
	Due, Expires time.Time
}

func rowOf(r backend.Record) (Row, error) {
	body, err := r.Body.AppendBinary(nil)
	return Row{ID: r.ID, Revision: r.Revision, Body: body, Aliases: r.Aliases, Due: r.Due, Expires: r.Expires}, err
}

func (r Row) record() backend.Record {
	return backend.Record{ID: r.ID, Revision: r.Revision, Body: backend.Bytes(r.Body), Aliases: r.Aliases, Due: r.Due, Expires: r.Expires}
}

// Commit is a record with what it puts out.
type Commit struct {
	Row  Row
	Out  []Publication
	Only bool // the record, by Store
}

// Committed is its answer.
type Committed struct {
	Revision int64
	Fault    Fault
}

// Commit writes a record.
func (d *desk) Commit(c Commit, answer *Committed) error {
	var out []backend.Publication
	for _, p := range c.Out {
		out = append(out, p.publication())
	}
	var err error
	if c.Only {
		answer.Revision, err = d.p.broker.Store(d.p.done, c.Row.record())
	} else {
		answer.Revision, err = d.p.broker.Commit(d.p.done, c.Row.record(), out)
	}
	answer.Fault = faultOf(err)
	return nil
}

// Query is a call of [backend.Records] that is no write of a record.
type Query struct {
	Op       string
	ID       string
	Revision int64
	Now      time.Time
	Limit    int
}

// Found is its answer.
type Found struct {
	Row   Row
	IDs   []string
	Next  time.Time
	N     int
	Fault Fault
}

// Query answers it.
func (d *desk) Query(q Query, out *Found) error {
	b, ctx := d.p.broker, d.p.done
	var r backend.Record
	var err error
	switch q.Op {
	case "load":
		if r, err = b.Load(ctx, q.ID); err == nil {
			out.Row, err = rowOf(r)
		}
	case "alias":
		if r, err = b.LoadAlias(ctx, q.ID); err == nil {
			out.Row, err = rowOf(r)
		}
	case "due":
		out.IDs, out.Next, err = b.Due(ctx, q.Now, q.Limit)
	case "expire":
		out.N, err = b.Expire(ctx, q.Now, q.Limit)
	case "delete":
		err = b.Delete(ctx, q.ID, q.Revision)
	}
	out.Fault = faultOf(err)
	return nil
}

// Letter is a dead letter on the wire.
type Letter struct {
	ID, Group, Topic, Class, Error string
	Message                        Message
	Attempts                       int
	At                             time.Time
}

func letterOf(d backend.DeadLetter) (Letter, error) {
	m, err := wireOf(d.Message)
	return Letter{
		ID: d.ID, Group: d.Group, Topic: d.Topic, Class: d.Class, Error: d.Error, Message: m, Attempts: d.Attempts, At: d.At,
	}, err
}

func (l Letter) letter() backend.DeadLetter {
	return backend.DeadLetter{
		ID: l.ID, Group: l.Group, Topic: l.Topic, Class: l.Class, Error: l.Error,
		Message: l.Message.message(), Attempts: l.Attempts, At: l.At,
	}
}

// LetterOp is a call of [backend.DeadLetters].
type LetterOp struct {
	Op, Group, After, ID string
	Limit                int
	Letter               Letter
}

// LetterResult is its answer.
type LetterResult struct {
	ID      string
	Dropped bool
	Letters []Letter
	Fault   Fault
}

// Letters answers it.
func (d *desk) Letters(op LetterOp, out *LetterResult) error {
	b, ctx := d.p.broker, d.p.done
	var err error
	switch op.Op {
	case "bury":
		out.ID, out.Dropped, err = b.Bury(ctx, op.Letter.letter())
	case "unbury":
		err = b.Unbury(ctx, op.ID)
	case "list":
		var found []backend.DeadLetter
		found, err = b.Backend.Letters(ctx, op.Group, op.After, op.Limit)
		for _, d := range found {
			l, wireErr := letterOf(d)
			out.Letters, err = append(out.Letters, l), errors.Join(err, wireErr)
		}
	}
	out.Fault = faultOf(err)
	return nil
}
