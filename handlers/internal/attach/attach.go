// Package attach holds what ready-made observers share when they are attached: they
// report all that is wrong with their configuration, and keep their own handlers.
package attach

import (
	"errors"
	"reflect"
	"slices"

	"github.com/seed-6c01d079/notify"
)

// Problems are all that is wrong with a configuration.
type Problems []error

// When adds a problem of a field if it is there.
func (p *Problems) When(wrong bool, field, problem string) {
	if wrong {
		*p = append(*p, &notify.FieldError{Field: field, Problem: problem})
	}
}

// WhenNil adds a problem if what a constructor was given is nil, or an interface
// that holds nil.
func (p *Problems) WhenNil(v any, constructor, problem string) {
	p.When(IsNil(v), constructor, problem)
}

// Err returns them, or nil if there are none.
func (p Problems) Err() error { return errors.Join(p...) }

// Observer returns what a host made of an observer, with the name and concurrency
// of own where it says nothing. Handlers of the host's come after own's, rather than
// in their place.
func Observer(given, own notify.Observer) notify.Observer {
	given.Handlers = slices.Concat(own.Handlers, given.Handlers)
	if given.Name == "" {
		given.Name = own.Name
	}
	if given.Concurrency == 0 {
		given.Concurrency = own.Concurrency
	}
	return given
}

// IsNil tells whether a value is nil, or an interface that holds nil.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan:
		return r.IsNil()
	default:
		return false
	}
}
