package notify_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// transacting is a backend, or records, that takes part in a hostTx.
type transacting struct{ *memory.Backend }

func (b transacting) Within(tx any) (backend.Transaction, error) {
	if tx, ok := tx.(*hostTx); ok {
		return tx, nil
	}
	return nil, errors.New("want a *hostTx")
}

// hostTx keeps what is to be written until the host commits.
type hostTx struct {
	to      *memory.Backend
	records map[string]backend.Record
	out     []backend.Publication
	wire    bool // every message that was published is in its wire form
}

func newHostTx(b *memory.Backend) *hostTx {
	return &hostTx{to: b, records: map[string]backend.Record{}, wire: true}
}

func (tx *hostTx) Load(ctx context.Context, id string) (backend.Record, error) {
	if r, ok := tx.records[id]; ok {
		return r, nil
	}
	return tx.to.Load(ctx, id)
}

func (tx *hostTx) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	stored, err := tx.Load(ctx, r.ID)
	if err != nil && !errors.Is(err, backend.ErrNotFound) {
		return 0, err
	}
	if stored.Revision != r.Revision {
		return 0, backend.ErrConflict
	}
	r.Revision++
	tx.records[r.ID] = r
	for _, p := range out {
		_, local := p.Message.Context().(backend.Local)
		tx.wire = tx.wire && !local && len(p.Message.Payload) > 0
	}
	tx.out = append(tx.out, out...)
	return r.Revision, nil
}

// commit is the host's. A record that changed in it several times is written
// once.
func (tx *hostTx) commit(t *testing.T) {
	t.Helper()
	out := tx.out
	for _, r := range tx.records {
		before := int64(0)
		if old, err := tx.to.Load(t.Context(), r.ID); err == nil {
			before = old.Revision
		}
		r.Revision = before
		_, err := tx.to.Commit(t.Context(), r, out)
		require.NoError(t, err)
		out = nil
	}
}

func inTransactions(t *testing.T, f func(t *testing.T, b *notifytest.Bench, db *memory.Backend), options ...func(*memory.Config)) {
	t.Helper()
	var db *memory.Backend
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) { f(t, b, db) }, func(c *notify.Config) {
		db = memory.New(options...)
		c.Backend = transacting{db}
	})
}

func TestSendTxIsAcceptedWhenTheHostCommits(t *testing.T) {
	t.Parallel()
	inTransactions(t, func(t *testing.T, b *notifytest.Bench, db *memory.Backend) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		b.Start()
		for _, key := range []string{"", "order-1"} {
			nt := toAnna(notify.EmailChannel)
			nt.Key = key
			abandoned := newHostTx(db)
			gone, err := b.Notifier.SendTx(t.Context(), abandoned, nt)
			require.NoError(t, err)

			tx := newHostTx(db)
			id, err := b.Notifier.SendTx(t.Context(), tx, nt)
			require.NoError(t, err)
			require.Equal(t, key != "", id == gone)
			require.True(t, tx.wire)
			b.Pass(time.Hour)
			_, err = b.Notifier.Status(t.Context(), id)
			require.ErrorIs(t, err, notify.ErrNotFound, "before the commit nothing is there")
			tx.commit(t)
			b.Settle(id)
			b.Require(id, notifytest.Once(notify.Accepted{}), notifytest.Once(notify.Sent{}), notifytest.Once(notify.Settled{}))
		}
	})
}

func TestSendTxKnowsTheKey(t *testing.T) {
	t.Parallel()
	inTransactions(t, func(t *testing.T, b *notifytest.Bench, db *memory.Backend) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		b.Start()
		nt := toAnna(notify.EmailChannel)
		nt.Key = "order-1"
		other := nt
		other.Content.Body = "Something else."

		tx := newHostTx(db)
		id, err := b.Notifier.SendTx(t.Context(), tx, nt)
		require.NoError(t, err)
		again, err := b.Notifier.SendTx(t.Context(), tx, nt)
		require.NoError(t, err)
		require.Equal(t, id, again)
		require.Len(t, tx.out, 1, "its work is in the transaction already")
		_, err = b.Notifier.SendTx(t.Context(), tx, other)
		require.ErrorIs(t, err, notify.ErrKeyReused)
		tx.commit(t)
		b.Settle(id)

		tx = newHostTx(db)
		_, err = b.Notifier.SendTx(t.Context(), tx, other)
		require.ErrorIs(t, err, notify.ErrKeyReused)
		again, err = b.Notifier.SendTx(t.Context(), tx, nt)
		require.NoError(t, err)
		require.Equal(t, id, again)
		require.Empty(t, tx.records)
		require.Equal(t, 1, mail.Effects())
	})
}

// A cancel that came before its notification holds.
func TestSendTxAfterItsCancel(t *testing.T) {
	t.Parallel()
	inTransactions(t, func(t *testing.T, b *notifytest.Bench, db *memory.Backend) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		b.Start()
		nt := toAnna(notify.EmailChannel)
		nt.Key = "order-1"
		id, err := b.Notifier.SendTx(t.Context(), newHostTx(db), nt) // never committed
		require.NoError(t, err)
		_, err = b.Notifier.Cancel(t.Context(), id)
		require.NoError(t, err)
		tx := newHostTx(db)
		_, err = b.Notifier.SendTx(t.Context(), tx, nt)
		require.NoError(t, err)
		tx.commit(t)
		b.Settle(id)
		require.Zero(t, mail.Effects())
	})
}

func TestSendTxRefuses(t *testing.T) {
	t.Parallel()
	inTransactions(t, func(t *testing.T, b *notifytest.Bench, db *memory.Backend) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		_, err := b.Notifier.SendTx(t.Context(), "tx", toAnna(notify.EmailChannel))
		require.ErrorIs(t, err, notify.ErrUnsupported)
		require.ErrorContains(t, err, "*hostTx")
		_, err = b.Notifier.SendTx(t.Context(), newHostTx(db), notify.Notification{})
		require.NotEmpty(t, notify.FieldErrors(err))
	})
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		_, err := b.Notifier.SendTx(t.Context(), newHostTx(nil), toAnna(notify.EmailChannel))
		require.ErrorIs(t, err, notify.ErrUnsupported)
		require.ErrorContains(t, err, "*memory.Backend")
	})
}

// A transaction is not held open for room.
func TestSendTxDoesNotWaitForRoom(t *testing.T) {
	t.Parallel()
	db := memory.New(func(c *memory.Config) { c.MaxWork = 1 })
	n, err := notify.New(notify.Config{Backend: transacting{db}})
	require.NoError(t, err)
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	_, err = n.Send(t.Context(), toAnna(notify.EmailChannel)) // nobody routes it
	require.NoError(t, err)
	_, err = n.SendTx(t.Context(), newHostTx(db), toAnna(notify.EmailChannel))
	require.ErrorIs(t, err, notify.ErrOverloaded)
	require.NoError(t, n.Close(t.Context()))
}

// Records beside another backend take what is published too: their outbox.
func TestSendTxOnRecordsAlone(t *testing.T) {
	t.Parallel()
	db, wire := memory.New(), memory.New()
	n, err := notify.New(notify.Config{Backend: struct{ backend.Backend }{wire}, Records: transacting{db}, AddressKey: make([]byte, 16)})
	require.NoError(t, err)
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	tx := newHostTx(db)
	id, err := n.SendTx(t.Context(), tx, toAnna(notify.EmailChannel))
	require.NoError(t, err)
	require.Contains(t, tx.records, id)
	require.Len(t, tx.out, 1)
	require.Equal(t, "notify.route", tx.out[0].Topic)
	require.NoError(t, n.Close(t.Context()))
	require.NoError(t, db.Close())
}
