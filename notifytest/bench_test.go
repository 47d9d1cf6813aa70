package notifytest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestTheWrappersHideWhatTheySay(t *testing.T) {
	t.Parallel()
	inner := memory.New()
	defer inner.Close()
	powers := func(b backend.Backend) map[string]bool {
		has := map[string]bool{}
		_, has["atomic"] = b.(backend.Atomic)
		_, has["local"] = b.(backend.LocalPublisher)
		_, has["records"] = b.(backend.Records)
		_, has["consumer"] = b.(backend.Consumer)
		_, has["positioner"] = b.(backend.Positioner)
		_, has["delayed"] = b.(backend.DelayedPublisher)
		_, has["admitter"] = b.(backend.Admitter)
		_, has["letters"] = b.(backend.DeadLetters)
		_, has["secrets"] = b.(backend.SecretKeeper)
		_, has["presence"] = b.(backend.Presence)
		return has
	}
	all := powers(inner)
	for power, has := range all {
		require.True(t, has, power)
	}
	without := func(hidden ...string) map[string]bool {
		left := powers(inner)
		for _, power := range hidden {
			left[power] = false
		}
		return left
	}
	require.Equal(t, without("local"), powers(notifytest.WireOnly(inner)))
	require.Equal(t, without("atomic"), powers(notifytest.Apart(inner)))
	require.Equal(t, without("local", "atomic"), powers(notifytest.Apart(notifytest.WireOnly(inner))))
}

// inMemory is a body that is no bytes.
type inMemory struct{ text string }

func (b inMemory) AppendBinary(to []byte) ([]byte, error) { return append(to, b.text...), nil }

func TestWireOnlyKeepsBytes(t *testing.T) {
	t.Parallel()
	inner := memory.New()
	defer inner.Close()
	wire := notifytest.WireOnly(inner)
	ctx := context.Background()
	revision, err := wire.Store(ctx, backend.Record{ID: "a", Body: inMemory{"one"}})
	require.NoError(t, err)
	got, err := wire.Load(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, backend.Bytes("one"), got.Body)
	_, err = wire.Commit(ctx, backend.Record{ID: "a", Revision: revision, Body: inMemory{"two"}}, nil)
	require.NoError(t, err)
	got, err = wire.Load(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, backend.Bytes("two"), got.Body)
}

// A bench works in real time too, with any backend.
func TestABenchInRealTime(t *testing.T) {
	t.Parallel()
	b := notifytest.Open(t, func(c *notify.Config) { c.Backend = notifytest.WireOnly(memory.New()) })
	mail := notifytest.NewProvider[notify.Email]("mail")
	notify.Use(b.Notifier, mail)
	nt := welcome
	nt.Route = notify.First(notify.EmailChannel)
	id := b.Send(nt)
	b.Settle(id)
	b.Require(id, notifytest.State(notify.StateSent))
}
