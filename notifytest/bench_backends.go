package notifytest

import (
	"context"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
)

// FullBackend is a backend with the optional interfaces that the pipeline and
// the observers use everywhere; that of package memory is one.
type FullBackend interface {
	backend.Atomic
	backend.Consumer
	backend.Positioner
	backend.DelayedPublisher
	backend.Admitter
	backend.DeadLetters
	backend.SecretKeeper
	backend.Presence
}

// WireOnly returns a backend that keeps everything as bytes, as one does whose
// data is on a disk or in another process: it is no [backend.LocalPublisher],
// and what it loads of a record is [backend.Bytes].
func WireOnly(b FullBackend) FullBackend { return wireOnly{b} }

type wireOnly struct{ FullBackend }

func (w wireOnly) Store(ctx context.Context, r backend.Record) (int64, error) {
	encoded, err := inBytes(r)
	if err != nil {
		return 0, err
	}
	return w.FullBackend.Store(ctx, encoded)
}

func (w wireOnly) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	encoded, err := inBytes(r)
	if err != nil {
		return 0, err
	}
	return w.FullBackend.Commit(ctx, encoded, out)
}

func inBytes(r backend.Record) (backend.Record, error) {
	body, err := r.Body.AppendBinary(nil)
	if err != nil {
		return r, fmt.Errorf("notifytest: encode a record: %w", err)
	}
	r.Body = backend.Bytes(body)
	return r, nil
}

// Apart returns a backend that cannot store a record and publish in one step:
// it has the other interfaces of a [FullBackend], and [backend.LocalPublisher]
// if b has.
func Apart(b FullBackend) backend.Backend {
	a := apart{b, b, b, b, b, b, b, b, b}
	if local, ok := b.(backend.LocalPublisher); ok {
		return localApart{a, local}
	}
	return a
}

// Embedded one by one, so that Commit is not among the methods.
type apart struct {
	backend.Backend
	backend.Records
	backend.Consumer
	backend.Positioner
	backend.DelayedPublisher
	backend.Admitter
	backend.DeadLetters
	backend.SecretKeeper
	backend.Presence
}

type localApart struct {
	apart
	backend.LocalPublisher
}
