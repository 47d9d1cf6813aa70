package notify

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// templateFuncs are what templates have beyond, and instead of, the built-in
// functions. The comparisons take any two numbers: after JSON, whether 10 is
// an integer is an accident.
func templateFuncs() map[string]any {
	order := func(holds func(int) bool) func(a, b any) (bool, error) {
		return func(a, b any) (bool, error) {
			c, err := compare(a, b)
			return err == nil && holds(c), err
		}
	}
	return map[string]any{
		"eq": equalAny,
		"ne": func(a, b any) (bool, error) {
			same, err := equalAny(a, b)
			return err == nil && !same, err
		},
		"lt": order(func(c int) bool { return c < 0 }),
		"le": order(func(c int) bool { return c <= 0 }),
		"gt": order(func(c int) bool { return c > 0 }),
		"ge": order(func(c int) bool { return c >= 0 }),
		valueFunc: func(v any) (any, error) {
			if v == nil {
				return nil, errNoValue
			}
			return v, nil
		},
	}
}

var errIncomparable = errors.New("values of these types cannot be compared")

// equalAny tells whether a equals any of the others, as the built-in eq does.
func equalAny(a any, others ...any) (bool, error) {
	for _, b := range others {
		if a == nil || b == nil {
			if a == b {
				return true, nil
			}
			continue
		}
		x, y := reflect.ValueOf(a), reflect.ValueOf(b)
		if x.Kind() == reflect.Bool && y.Kind() == reflect.Bool {
			if x.Bool() == y.Bool() {
				return true, nil
			}
			continue
		}
		c, err := compare(a, b)
		if err != nil {
			return false, err
		}
		if c == 0 {
			return true, nil
		}
	}
	return false, nil
}

// compare orders two numbers or two strings.
func compare(a, b any) (int, error) {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	switch {
	case x.Kind() == reflect.String && y.Kind() == reflect.String:
		return strings.Compare(x.String(), y.String()), nil
	case x.CanInt() && y.CanInt():
		return cmp.Compare(x.Int(), y.Int()), nil
	case isNumber(x) && isNumber(y):
		return cmp.Compare(asFloat(x), asFloat(y)), nil
	default:
		return 0, errIncomparable
	}
}

func isNumber(v reflect.Value) bool { return v.CanInt() || v.CanUint() || v.CanFloat() }

func asFloat(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	default:
		return v.Float()
	}
}

// whole and fraction are the numbers that templates see. Unlike plain ones,
// they print in full (1000000, not 1e+06), and take %d and %.2f alike.
type (
	whole    int64
	fraction float64
)

func (n whole) Format(f fmt.State, verb rune) {
	switch verb {
	case 'e', 'E', 'f', 'F', 'g', 'G':
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), float64(n))
	case 's':
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, 'd'), int64(n))
	default:
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), int64(n))
	}
}

func (n fraction) Format(f fmt.State, verb rune) {
	switch verb {
	case 'v', 's':
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, 's'), strconv.FormatFloat(float64(n), 'f', -1, 64))
	case 'd':
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, 's'), strconv.FormatFloat(math.RoundToEven(float64(n)), 'f', 0, 64))
	default:
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), float64(n))
	}
}

// plainData is the data as JSON would bring it back, so that a template sees
// the same whichever backend it came through. It is never nil.
func plainData(data map[string]any) (map[string]any, error) {
	plain := make(map[string]any, len(data))
	for key, value := range data {
		made, err := plainValue(value, 0)
		if err != nil {
			return nil, err
		}
		plain[key] = made
	}
	return plain, nil
}

func plainValue(value any, depth int) (any, error) {
	if depth > maxDataDepth {
		return nil, errors.New("the data is nested too deep")
	}
	switch v := value.(type) {
	case nil, bool, string:
		return v, nil
	case int:
		return whole(v), nil
	case int64:
		return whole(v), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return whole(v), nil
		}
		return fraction(v), nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return whole(n), nil
		}
		n, err := v.Float64()
		if err != nil {
			return nil, errors.New("the data has a number that is none")
		}
		return plainValue(n, depth)
	case []any:
		plain := make([]any, len(v))
		for i, element := range v {
			made, err := plainValue(element, depth+1)
			if err != nil {
				return nil, err
			}
			plain[i] = made
		}
		return plain, nil
	case map[string]any:
		plain := make(map[string]any, len(v))
		for key, element := range v {
			made, err := plainValue(element, depth+1)
			if err != nil {
				return nil, err
			}
			plain[key] = made
		}
		return plain, nil
	default:
		encoded, err := marshal(v)
		if err != nil {
			return nil, errors.New("the data cannot be encoded as JSON")
		}
		var decoded any
		if err := unmarshalExact(encoded, &decoded); err != nil {
			return nil, errors.New("the data cannot be read back from JSON")
		}
		return plainValue(decoded, depth)
	}
}
