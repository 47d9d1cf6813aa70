package notifytest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/seed-6c01d079/notify"
)

// That is a pattern: it matches an event of type T for which the function
// returns true. Where it is enough that some fields are equal, the event itself
// is a pattern.
func That[T any](f func(T) bool) any {
	return pattern{
		name:    fmt.Sprintf("%s that …", reflect.TypeFor[T]()),
		matches: func(data any) bool { e, ok := data.(T); return ok && f(e) },
	}
}

// pattern is what an event may match.
type pattern struct {
	name    string
	matches func(data any) bool
	// wrong says why nothing can ever match it; it is empty for a good one.
	wrong string
}

// patternOf returns a pattern as it is; of anything else it makes the pattern
// of an event of the same type whose fields are equal to those that are set.
func patternOf(value any) pattern {
	if p, ok := value.(pattern); ok {
		return p
	}
	want := reflect.ValueOf(value)
	if _, raw := value.(notify.Raw); !raw && want.Kind() != reflect.Struct {
		return pattern{
			name: fmt.Sprintf("%T", value), matches: func(any) bool { return false },
			wrong: fmt.Sprintf("a pattern of type %T matches nothing: give an event as it is, such as notify.Sent{}, or That", value),
		}
	}
	name := want.Type().String()
	if !want.IsZero() {
		name = fmt.Sprintf("%s%+v", name, value)
	}
	return pattern{name: name, matches: func(data any) bool {
		got := reflect.ValueOf(data)
		return got.IsValid() && got.Type() == want.Type() && covers(got, want)
	}}
}

// covers tells whether got has all that is set in want.
func covers(got, want reflect.Value) bool {
	switch {
	case want.IsZero():
		return true
	case want.Kind() != reflect.Struct:
		return reflect.DeepEqual(got.Interface(), want.Interface())
	}
	if at, ok := want.Interface().(time.Time); ok {
		return got.Interface().(time.Time).Equal(at) // in whatever zone
	}
	for i := range want.NumField() {
		if !want.Type().Field(i).IsExported() {
			return reflect.DeepEqual(got.Interface(), want.Interface()) // such as Route: one value
		}
		if !covers(got.Field(i), want.Field(i)) {
			return false
		}
	}
	return true
}

func patternsOf(values []any) []pattern {
	all := make([]pattern, len(values))
	for i, value := range values {
		all[i] = patternOf(value)
	}
	return all
}

func (p pattern) count(events []notify.Event[any]) (n int) {
	for _, e := range events {
		if p.matches(e.Data) {
			n++
		}
	}
	return n
}
