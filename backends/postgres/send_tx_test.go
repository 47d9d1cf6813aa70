package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/notifytest"
)

var addressKey = []byte("0123456789abcdef")

// run returns a Notifier that runs until the test ends, with a provider of
// e-mail.
func run(t testing.TB, config notify.Config) (*notify.Notifier, *notifytest.Provider[notify.Email]) {
	t.Helper()
	config.AddressKey = addressKey
	n, err := notify.New(config)
	require.NoError(t, err)
	mail := notifytest.NewProvider[notify.Email]("mail")
	notify.Use(n, mail)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, n.Close(context.Background()))
		require.NoError(t, <-ended)
	})
	require.NoError(t, n.Ready(t.Context()))
	return n, mail
}

func toAnna(key string) notify.Notification {
	return notify.Notification{
		To:      notify.Recipient{ID: "anna", Addresses: map[notify.Channel]string{notify.EmailChannel: "anna@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
		Key:     key,
	}
}

func settled(t testing.TB, n *notify.Notifier, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	status, err := n.Wait(ctx, id)
	require.NoError(t, err)
	require.Equal(t, notify.StateSent, status.State)
}

// transactions are the host's, of either kind.
var transactions = map[string]func(t *testing.T) (send func(n *notify.Notifier, nt notify.Notification) (string, error), exec func(string), end func(commit bool)){
	"pgx": func(t *testing.T) (func(*notify.Notifier, notify.Notification) (string, error), func(string), func(bool)) {
		tx, err := connect(t).Begin(t.Context())
		require.NoError(t, err)
		return func(n *notify.Notifier, nt notify.Notification) (string, error) {
				return postgres.SendTx(t.Context(), n, tx, nt)
			}, func(query string) {
				_, err := tx.Exec(t.Context(), query)
				require.NoError(t, err)
			}, func(commit bool) {
				if commit {
					require.NoError(t, tx.Commit(t.Context()))
				} else {
					require.NoError(t, tx.Rollback(t.Context()))
				}
			}
	},
	"database/sql": func(t *testing.T) (func(*notify.Notifier, notify.Notification) (string, error), func(string), func(bool)) {
		db, err := sql.Open("pgx", dsn)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		return func(n *notify.Notifier, nt notify.Notification) (string, error) {
				return postgres.SendSQLTx(t.Context(), n, tx, nt)
			}, func(query string) {
				_, err := tx.ExecContext(t.Context(), query)
				require.NoError(t, err)
			}, func(commit bool) {
				if commit {
					require.NoError(t, tx.Commit())
				} else {
					require.NoError(t, tx.Rollback())
				}
			}
	},
}

// A business row and its notification commit together, or neither does.
func TestSendTxCommitsWithTheHostsRow(t *testing.T) {
	t.Parallel()
	for kind, begin := range transactions {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			named := schema(t)
			n, mail := run(t, notify.Config{Backend: postgres.New(dsn, named)})
			send, exec, end := begin(t)
			exec("create temporary table business (id integer) on commit drop")
			exec("insert into business values (1)")
			gone, err := send(n, toAnna(""))
			require.NoError(t, err)
			end(false)

			send, _, end = begin(t)
			id, err := send(n, toAnna(""))
			require.NoError(t, err)
			_, err = n.Status(t.Context(), id)
			require.ErrorIs(t, err, notify.ErrNotFound, "before the commit")
			later := toAnna("")
			later.NotBefore = time.Now().Add(300 * time.Millisecond)
			delayed, err := send(n, later)
			require.NoError(t, err)
			end(true)
			settled(t, n, id)
			settled(t, n, delayed)
			_, err = n.Status(t.Context(), gone)
			require.ErrorIs(t, err, notify.ErrNotFound)
			require.Equal(t, 2, mail.Effects())
		})
	}
}

func TestSendTxKnowsTheKey(t *testing.T) {
	t.Parallel()
	for kind, begin := range transactions {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			n, mail := run(t, notify.Config{Backend: postgres.New(dsn, schema(t))})
			other := toAnna("order-1")
			other.Content.Body = "Something else."
			send, _, end := begin(t)
			id, err := send(n, toAnna("order-1"))
			require.NoError(t, err)
			again, err := send(n, toAnna("order-1"))
			require.NoError(t, err)
			require.Equal(t, id, again)
			_, err = send(n, other)
			require.ErrorIs(t, err, notify.ErrKeyReused)
			end(true) // which is of use still
			settled(t, n, id)

			send, _, end = begin(t)
			again, err = send(n, toAnna("order-1"))
			require.NoError(t, err)
			require.Equal(t, id, again)
			_, err = send(n, other)
			require.ErrorIs(t, err, notify.ErrKeyReused)
			end(true)
			require.Equal(t, 1, mail.Effects())

			// A cancel that came first holds.
			send, _, end = begin(t)
			id, err = send(n, toAnna("order-2"))
			require.NoError(t, err)
			end(false)
			_, err = n.Cancel(t.Context(), id)
			require.NoError(t, err)
			send, _, end = begin(t)
			_, err = send(n, toAnna("order-2"))
			require.NoError(t, err)
			end(true)
			status, err := n.Wait(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, notify.StateCanceled, status.State)
		})
	}
}

func TestSendTxRefusesOtherTransactions(t *testing.T) {
	t.Parallel()
	named := schema(t)
	n, _ := run(t, notify.Config{Backend: postgres.New(dsn, named)})
	_, err := n.SendTx(t.Context(), 1, toAnna(""))
	require.ErrorIs(t, err, notify.ErrUnsupported)
	require.ErrorContains(t, err, "not a pgx.Tx or a *sql.Tx")

	conn := connect(t)
	_, err = conn.Exec(t.Context(), "create database elsewhere")
	require.NoError(t, err)
	config := conn.Config().Copy()
	config.Database = "elsewhere"
	other, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	tx, err := other.Begin(t.Context())
	require.NoError(t, err)
	_, err = postgres.SendTx(t.Context(), n, tx, toAnna(""))
	require.ErrorContains(t, err, "the transaction must be of the database that has the store's schema")
	require.NoError(t, other.Close(t.Context()))
	_, err = conn.Exec(t.Context(), "drop database elsewhere")
	require.NoError(t, err)
}

// carrier is a backend elsewhere, without records, whose publisher may fail.
func carrier(t *testing.T, fails *atomic.Bool) backend.Backend {
	t.Helper()
	m := memory.New()
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	pub, err := m.Publisher()
	require.NoError(t, err)
	return notify.FromWatermill(failing{pub, fails}, m.Subscriber)
}

type failing struct {
	message.Publisher
	fails *atomic.Bool
}

func (f failing) Publish(topic string, messages ...*message.Message) error {
	if f.fails.Load() {
		return errors.New("the broker is away")
	}
	return f.Publisher.Publish(topic, messages...)
}

// With records in the database and messages elsewhere, what is sent in a
// transaction is in the outbox until it is forwarded.
func TestForward(t *testing.T) {
	t.Parallel()
	named := schema(t)
	var c postgres.Config
	named(&c)
	store := records(t, named)
	var fails atomic.Bool
	elsewhere := carrier(t, &fails)
	n, mail := run(t, notify.Config{Backend: elsewhere, Records: store})
	conn := connect(t)
	send := func(keys ...string) (ids []string) {
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		for _, key := range keys {
			id, err := postgres.SendTx(t.Context(), n, tx, toAnna(key))
			require.NoError(t, err)
			ids = append(ids, id)
		}
		require.NoError(t, tx.Commit(t.Context()))
		return ids
	}
	outbox := func() (n int) {
		require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from "+c.Schema+".outbox").Scan(&n))
		return n
	}
	ids := send("", "order-1")
	require.Equal(t, 2, outbox())

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- store.Forward(ctx, elsewhere) }()
	}
	for _, id := range ids {
		settled(t, n, id)
	}
	eventually(t, func() bool { return outbox() == 0 }, "what is forwarded is deleted")

	fails.Store(true)
	ids = send("order-2", "", "")
	eventually(t, func() bool { return outbox() == 3 }, "nothing is lost while the broker is away")
	fails.Store(false)
	for _, id := range ids {
		settled(t, n, id)
	}
	require.Equal(t, 5, mail.Effects())
	cancel()
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)
	require.NoError(t, store.Close())
	require.ErrorIs(t, store.Forward(t.Context(), elsewhere), backend.ErrClosed)
}
