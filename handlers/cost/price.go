package cost

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
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
	sign, parts := "", uint64(p)
	if p < 0 {
		sign, parts = "-", -parts
	}
	text := fmt.Sprintf("%s%d.%012d", sign, parts/uint64(Unit), parts%uint64(Unit))
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}

// MarshalText implements [encoding.TextMarshaler].
func (p Price) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Price) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePrice(string(text))
	return err
}

// bill is a sum of prices, exact until it is rounded: in trillionths of a unit,
// divided by parts, so that it may have prices of a billionth of a second.
type bill struct {
	parts int64
	small int64   // as long as it holds the sum
	large big.Int // beyond
}

// add adds the price of n, each of so many parts of what it is the price of.
func (b *bill) add(p Price, n, each int64) {
	if product, ok := multiply(int64(p), n); ok {
		if product, ok = multiply(product, each); ok && b.small <= math.MaxInt64-product {
			b.small += product
			return
		}
	}
	var line big.Int
	line.Mul(big.NewInt(int64(p)), big.NewInt(n))
	b.large.Add(&b.large, line.Mul(&line, big.NewInt(each)))
}

// multiply multiplies what is not negative.
func multiply(a, b int64) (int64, bool) {
	high, low := bits.Mul64(uint64(a), uint64(b))
	return int64(low), high == 0 && low <= math.MaxInt64
}

// micros rounds to the nearest millionth of a unit, halves up, and to the most
// that an entry may have.
func (b *bill) micros() int64 {
	micro := b.parts * int64(Micro)
	if b.large.Sign() == 0 && b.small <= math.MaxInt64-micro/2 {
		return (b.small + micro/2) / micro
	}
	var sum big.Int
	sum.Add(&b.large, big.NewInt(b.small))
	sum.Quo(sum.Add(&sum, big.NewInt(micro/2)), big.NewInt(micro))
	if !sum.IsInt64() || sum.Int64() > maxMicros {
		return maxMicros
	}
	return sum.Int64()
}
