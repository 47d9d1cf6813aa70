package notify

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		parent, cancelParent := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		defer cancelParent()
		for name, looked := range map[string]bool{"nobody has looked": false, "somebody waits": true} {
			begin := func() *timeLimit {
				limit := withTimeLimit(parent, time.Second)
				if looked {
					_ = limit.Done()
				}
				require.NoError(t, limit.Err(), name)
				require.Equal(t, "value", limit.Value(key{}), name)
				deadline, ok := limit.Deadline()
				require.True(t, ok, name)
				require.Equal(t, time.Second, time.Until(deadline), name)
				return limit
			}
			late := begin()
			child, cancelChild := context.WithCancel(late)
			time.Sleep(time.Second)
			synctest.Wait()
			require.ErrorIs(t, late.Err(), context.DeadlineExceeded, name)
			<-late.Done()
			<-child.Done()
			require.ErrorIs(t, child.Err(), context.DeadlineExceeded, name)
			cancelChild()
			late.cancel()
			require.ErrorIs(t, late.Err(), context.DeadlineExceeded, name)

			canceled := begin()
			canceled.cancel()
			require.ErrorIs(t, canceled.Err(), context.Canceled, name)
			<-canceled.Done()
		}
		orphan := withTimeLimit(parent, time.Hour)
		cancelParent()
		require.ErrorIs(t, orphan.Err(), context.Canceled)
		<-orphan.Done()
		orphan.cancel()
	})
}

func TestTimeLimitWithinAnother(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	limit := withTimeLimit(parent, time.Hour)
	defer limit.cancel()
	want, _ := parent.Deadline()
	got, ok := limit.Deadline()
	require.True(t, ok)
	require.Equal(t, want, got)
}
