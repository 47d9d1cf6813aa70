package notify

import (
	"context"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
)

// SendTx is [Notifier.Send] within a transaction of the host's own database: the
// notification is accepted when, and only when, the host commits tx. It is for a
// backend, or Records, that is a [backend.Transactor], and tx is what that takes;
// otherwise the error wraps [ErrUnsupported]. Package backends/postgres has it
// with the types of its transactions, and needs no cast.
//
// Records beside another backend keep what is sent in an outbox until it is
// forwarded: with backends/postgres by Store.Forward.
//
// SendTx never waits for room, since a transaction must not be held open for that:
// it returns [ErrOverloaded]. After an error that is none of [ErrOverloaded],
// [ErrKeyReused], ErrUnsupported and [FieldErrors], roll tx back.
func (n *Notifier) SendTx(ctx context.Context, tx any, nt Notification) (string, error) {
	r, err := n.prepare(ctx, nt)
	if err != nil {
		return "", err
	}
	span := n.beginSend(ctx, r)
	if err := span.during(ctx, func(ctx context.Context) error { return n.sendTx(ctx, tx, r) }); err != nil {
		return "", err
	}
	noteSent(ctx, 1)
	return r.ID, nil
}

func (n *Notifier) sendTx(ctx context.Context, tx any, r *record) error {
	if err := n.admit(ctx, 1, false); err != nil {
		return err
	}
	l, err := n.ledger.within(tx, n.config.Backend)
	if err != nil {
		return err
	}
	return l.accept(ctx, r)
}

// within is the ledger in a transaction of the host's.
func (l *ledger) within(tx any, b Backend) (*ledger, error) {
	var host any = l.records
	if l.atomic != nil {
		host = b
	}
	t, ok := host.(backend.Transactor)
	if !ok {
		return nil, fmt.Errorf("%w: %T takes no part in a transaction of the host's", ErrUnsupported, host)
	}
	in, err := t.Within(tx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	c := *l
	c.foreign, c.records, c.atomic, c.local = true, recordsWithin{l.records, in}, in, nil
	return &c, nil
}

// recordsWithin reads records as the transaction sees them.
type recordsWithin struct {
	backend.Records
	tx backend.Transaction
}

func (r recordsWithin) Load(ctx context.Context, id string) (backend.Record, error) {
	return r.tx.Load(ctx, id)
}
