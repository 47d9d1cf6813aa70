package presence_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend/presence"
)

func TestASetKnowsWhoIsPresent(t *testing.T) {
	t.Parallel()
	var s presence.Set
	require.False(t, s.Present("a"))
	first, second := s.Enter("a"), s.Enter("a")
	first()
	first()
	require.True(t, s.Present("a"), "it has left once")
	second()
	require.False(t, s.Present("a"))
	require.NotPanics(t, s.Enter("b"))
}

func TestManyEnterAndLeave(t *testing.T) {
	t.Parallel()
	var s presence.Set
	defer s.Enter("other")()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 100 {
				leave := s.Enter("a")
				if !s.Present("a") || !s.Present("other") {
					t.Error("somebody is missing")
				}
				leave()
			}
		})
	}
	all.Wait()
	require.False(t, s.Present("a"))
}
