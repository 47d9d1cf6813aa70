package e164_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/internal/e164"
)

func TestCountry(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{
		"+49301234567": "DE", "+4366412345678": "AT", "+420601234567": "CZ", "+12125550123": "US", "+14165550123": "CA",
		"+18765550123": "JM", "+79161234567": "RU", "+77011234567": "KZ", "+447911123456": "GB", "+447797712345": "GB",
		"+35840123456": "FI", "+390612345678": "IT", "+21612345678": "TN", "+2125012345": "MA", "+9981234567": "UZ",
		"+88216123456": "", "+80012345678": "", "+2101234567": "", "+9991234567": "", "4930123": "", "": "", "+": "", "+1": "US",
	} {
		require.Equal(t, want, e164.Country(number), number)
	}
}
