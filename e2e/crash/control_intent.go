package main

import (
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/seed-6c01d079/notify/backend"
)

// edited returns a record's body with its JSON document changed.
func edited(body encoding.BinaryAppender, change func(doc map[string]any)) (backend.Bytes, error) {
	doc, err := document(body)
	if err != nil {
		return nil, err
	}
	change(doc)
	return json.Marshal(doc)
}

func document(body encoding.BinaryAppender) (map[string]any, error) {
	if body == nil {
		return nil, errors.New("there is no record")
	}
	data, err := body.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	exact := json.NewDecoder(bytes.NewReader(data))
	exact.UseNumber()
	if err := exact.Decode(&doc); err != nil {
		return nil, fmt.Errorf("a record's body is no JSON object: %w", err)
	}
	return doc, nil
}

// list are the objects of a JSON list.
func list(v any) (objects []map[string]any) {
	values, _ := v.([]any)
	for _, value := range values {
		if object, ok := value.(map[string]any); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

// reports counts what a record's outbox has of what services reported.
func reports(body encoding.BinaryAppender) (n int) {
	doc, err := document(body)
	if err != nil {
		return 0
	}
	for _, entry := range list(doc["outbox"]) {
		event, _ := json.Marshal(entry["event"])
		for _, kind := range []string{"delivered", "bounced", "opened"} {
			if bytes.Contains(event, []byte(`"notify.`+kind+`.v1"`)) {
				n++
			}
		}
	}
	return n
}

func canceled(body encoding.BinaryAppender) bool {
	doc, err := document(body)
	return err == nil && doc["canceled"] == true
}

// openIntents counts the intents of a record that have no answer, by their
// leases.
func openIntents(body encoding.BinaryAppender) (n int) {
	doc, err := document(body)
	if err != nil {
		return 0
	}
	for _, leg := range list(doc["legs"]) {
		for _, attempt := range list(leg["attempts"]) {
			if leaseOf(attempt) != nil {
				n++
			}
		}
	}
	return n
}

// leaseOf returns an attempt's lease, or nil if it was answered.
func leaseOf(attempt map[string]any) map[string]any {
	lease, _ := attempt["lease"].(map[string]any)
	if until, _ := lease["until"].(string); until == "" || strings.HasPrefix(until, "0001-") {
		return nil
	}
	return lease
}

func withoutIntent(p *parts) {
	late := &lateIntents{Records: p.records, held: map[string]backend.Record{}}
	commit := p.committer
	p.records = late
	late.write = func(ctx context.Context, r backend.Record, _ []backend.Publication) (int64, error) {
		return late.Records.Store(ctx, r)
	}
	if commit != nil {
		late.write = commit.Commit
		p.committer = late
	}
	late.publish = p.publishAll
}

// lateIntents holds back records with an open intent until their next write.
type lateIntents struct {
	backend.Records
	write   func(context.Context, backend.Record, []backend.Publication) (int64, error)
	publish func(context.Context, []backend.Publication) error

	mu   sync.Mutex
	held map[string]backend.Record // with the revision that is stored
}

func (l *lateIntents) Load(ctx context.Context, id string) (backend.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.held[id]; ok {
		r.Revision++
		return r, nil
	}
	return l.Records.Load(ctx, id)
}

func (l *lateIntents) Store(ctx context.Context, r backend.Record) (int64, error) {
	return l.Commit(ctx, r, nil)
}

func (l *lateIntents) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held, holds := l.held[r.ID]
	if holds {
		if r.Revision != held.Revision+1 {
			return 0, fmt.Errorf("it is held back: %w", backend.ErrConflict)
		}
		r.Revision--
	}
	if !strings.HasPrefix(r.ID, "parked/") && openIntents(r.Body) > 0 {
		data, err := r.Body.AppendBinary(nil)
		if err != nil {
			return 0, err
		}
		r.Body = backend.Bytes(data)
		l.held[r.ID] = r
		return r.Revision + 1, l.publish(ctx, out)
	}
	revision, err := l.write(ctx, r, out)
	if err == nil {
		delete(l.held, r.ID)
	}
	return revision, err
}
