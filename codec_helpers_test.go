package notify

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func requireFields(t *testing.T, err error, want []string) {
	t.Helper()
	require.Error(t, err)
	var got []string
	for _, field := range FieldErrors(err) {
		got = append(got, field.Field)
	}
	require.Equal(t, want, got, "%v", err)
}

func errorsIsTooLarge(err error) bool { return errors.Is(err, ErrTooLarge) }

func inf() float64 { return math.Inf(1) }
