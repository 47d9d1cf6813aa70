package cost

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Price is what one of something costs, in trillionths of a currency's unit: an
// invocation costs less than the millionths that [notify.Cost] has. As text, and
// in JSON, it is a decimal number of units such as "0.0798". It is not negative,
// and at most 1,000,000 units.
type Price int64

// Unit, Milli and Micro are one of a currency's units, a thousandth and a
// millionth of it.
const (
	Unit  Price = 1_000_000_000_000
	Milli Price = Unit / 1000
	Micro Price = Milli / 1000
)

const (
	maxPrice  = 1_000_000 * Unit
	maxMicros = 1_000_000_000_000_000 // of one entry: a billion units
	decimals  = 12
)

var errPrice = errors.New(`must be a decimal number from 0 to 1000000 with at most 12 digits after the point, such as "0.0798"`)

// ParsePrice reads a price as String writes it.
func ParsePrice(text string) (Price, error) {
	whole, fraction, point := strings.Cut(text, ".")
	if whole == "" || len(whole) > 7 || point && fraction == "" || len(fraction) > decimals || whole[0] == '0' && len(whole) > 1 {
		return 0, errPrice
	}
	var p Price
	for _, digit := range []byte(whole + fraction + strings.Repeat("0", decimals-len(fraction))) {
		if digit < '0' || digit > '9' {
			return 0, errPrice
		}
		if p = p*10 + Price(digit-'0'); p > maxPrice {
			return 0, errPrice
		}
	}
	return p, nil
}

// String returns the price in units, with no more digits than it needs.
func (p Price) String() string {
	if p < 0 {
		return "-" + (-p).String()
	}
	text := fmt.Sprintf("%d.%012d", p/Unit, p%Unit)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}

// MarshalText implements [encoding.TextMarshaler].
func (p Price) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Price) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePrice(string(text))
	return err
}

// bill is a sum of prices, exact until it is rounded.
type bill struct{ total big.Int } // trillionths of a unit, times billion

// add adds n times the price of one, where n is of billionths if it is a time in
// seconds.
func (b *bill) add(p Price, n, billionths int64) {
	var line big.Int
	line.Mul(big.NewInt(int64(p)), big.NewInt(n))
	b.total.Add(&b.total, line.Mul(&line, big.NewInt(billionths)))
}

// micros rounds to the nearest millionth of a unit, halves up, and to the most
// that an entry may have.
func (b *bill) micros() int64 {
	const micro = 1_000_000_000 * int64(Micro)
	var half big.Int
	half.Add(&b.total, big.NewInt(micro/2))
	half.Quo(&half, big.NewInt(micro))
	if !half.IsInt64() || half.Int64() > maxMicros {
		return maxMicros
	}
	return half.Int64()
}
