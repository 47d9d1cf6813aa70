// Package console has a provider that prints each message instead of sending
// it: for a first run, and for development.
//
//	notify.Use(n, console.New[notify.Email]("console-email", os.Stdout))
//	notify.Use(n, console.New[notify.SMS]("console-sms", os.Stdout))
//
// It prints addresses and content. Do not point it at a log that is kept.
package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"

	"github.com/seed-6c01d079/notify"
)

// Provider prints the messages of one channel. It is safe for concurrent use;
// several providers may share a writer only if its Write is safe too.
type Provider[M notify.Message] struct {
	name string

	mu sync.Mutex // held while writing to w
	w  io.Writer
}

var _ notify.Provider[notify.Email] = (*Provider[notify.Email])(nil)

// New returns a provider of that name that prints to w, one Write a message.
func New[M notify.Message](name string, w io.Writer) *Provider[M] {
	return &Provider[M]{name: name, w: w}
}

var legalName = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

// Name returns the name that New was given.
func (p *Provider[M]) Name() string { return p.name }

// Check returns a [notify.FieldError] if the name is not legal, or w is nil.
func (p *Provider[M]) Check() error {
	var found []error
	if !legalName.MatchString(p.name) {
		found = append(found, &notify.FieldError{Field: "name", Problem: "must be 1 to 64 characters of a-z, 0-9, '-', '_' and '.'"})
	}
	if p.w == nil {
		found = append(found, &notify.FieldError{Field: "w", Problem: "must not be nil; os.Stdout will do"})
	}
	return errors.Join(found...)
}

// Send prints the message: a line that names it, then its fields that are set,
// as encoding/json names them; text of several lines is indented below its
// name. A write that fails is uncertain, because part of it may have been
// printed. The receipt's MessageID is the attempt's key.
func (p *Provider[M]) Send(ctx context.Context, d notify.Delivery[M]) (notify.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return notify.Receipt{}, &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassTimeout, Err: err}
	}
	fields, err := fieldsOf(d.Message)
	if err != nil {
		return notify.Receipt{}, &notify.SendError{
			Verdict: notify.VerdictPermanent, Class: notify.ClassContent,
			Err: fmt.Errorf("console: encode the %s message: %w", d.Message.Channel(), err),
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "--- %s %s (%s)\n", d.Message.Channel(), d.NotificationID, p.name)
	for _, f := range fields {
		f.print(&b)
	}
	b.WriteByte('\n')

	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.w.Write(b.Bytes()); err != nil {
		return notify.Receipt{}, &notify.SendError{
			Verdict: notify.VerdictUncertain, Class: notify.ClassService, Err: fmt.Errorf("console: write: %w", err),
		}
	}
	return notify.Receipt{MessageID: d.Key}, nil
}

// field is one field of a message, as encoding/json has it.
type field struct {
	name  string
	value json.RawMessage
}

// fieldsOf returns the fields of a message in order. A message that is not an
// object is one field without a name.
func fieldsOf(message any) ([]field, error) {
	raw, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return []field{{value: raw}}, err
	}
	var fields []field
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var f field
		f.name, _ = name.(string) // a key is a string
		if err := dec.Decode(&f.value); err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}
