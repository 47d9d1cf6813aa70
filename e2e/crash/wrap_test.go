package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

// A Notifier finds what a backend can do by its interfaces, so the wrapped one
// must have the same.
func TestWrapHasTheSameInterfaces(t *testing.T) {
	t.Parallel()
	for name, bare := range map[string]backend.Backend{
		"memory": memory.New(), "broker": farAtomic{}, "apart": far{},
		"sqlite": sqlite.Open("none"), "postgres": postgres.New("host=none"), "kafka": kafka.New([]string{"none:1"}),
	} {
		wrapped, err := partsOf(bare, nil, &points{}).wrapBackend(false)
		require.NoError(t, err, name)
		require.Equal(t, interfacesOf(bare), interfacesOf(wrapped), name)
		require.NoError(t, bare.Close())
	}
	_, err := partsOf(struct{ backend.Backend }{}, nil, &points{}).wrapBackend(false)
	require.ErrorContains(t, err, "no wrapper")
}

func TestPoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, words string
		want        bool
	}{
		{"commit", "commit", true},
		{"commit sent", "commit", true},
		{"commit sent", "commit sent", true},
		{"commit", "commit sent", false},
		{"publish-later deliver", "publish", false},
	} {
		require.Equal(t, c.want, isPoint(c.name, c.words), "%s at %s", c.words, c.name)
	}
}
