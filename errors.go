package notify

import (
	"errors"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
)

// Errors that callers test for with [errors.Is].
var (
	// ErrClosed: the Notifier has been closed.
	ErrClosed = errors.New("notify: closed")
	// ErrKeyReused: the idempotency key was used before, for another request.
	ErrKeyReused = errors.New("notify: the idempotency key was used for another request")
	// ErrNotFound: no notification, template, observer or dead letter of that
	// name is known.
	ErrNotFound = errors.New("notify: not found")
	// ErrDeadLetter: an observer gave up on an event, which is a dead letter.
	ErrDeadLetter = errors.New("notify: dead letter")
	// ErrTooLate: the notification has settled and cannot be canceled.
	ErrTooLate = errors.New("notify: too late, the notification has settled")
	// ErrTooLarge: a field is over its cap.
	ErrTooLarge = errors.New("notify: too large")
	// ErrOverloaded: a stated cap is reached; try again later.
	ErrOverloaded = errors.New("notify: overloaded")
	// ErrUnsupported: what was asked for needs something that the backend, the
	// records or the provider does not have.
	ErrUnsupported = errors.New("notify: unsupported")
)

// FieldError is one problem of an input. [New], [Notifier.Send] and the others
// report every problem at once, joined by [errors.Join]; find them with
// [FieldErrors]. Its text never holds the value.
type FieldError struct {
	// Field is the path of the field, such as "To.Addresses[email]".
	Field string
	// Problem says what is wrong and what would be right.
	Problem string
	// Err, if not nil, is what errors.Is and errors.As see: ErrTooLarge, say.
	Err error
}

// Error implements error.
func (e *FieldError) Error() string { return fmt.Sprintf("notify: %s: %s", e.Field, e.Problem) }

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// FieldErrors returns every [FieldError] in err's tree, in order.
func FieldErrors(err error) []*FieldError {
	var found []*FieldError
	switch e := err.(type) {
	case nil:
	case *FieldError:
		found = append(found, e)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			found = append(found, FieldErrors(one)...)
		}
	case interface{ Unwrap() error }:
		found = FieldErrors(e.Unwrap())
	}
	return found
}

// Permanent marks an observer's error as one that no retry can mend: the event
// goes to the dead letters at once. A nil err stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

func isPermanent(err error) bool {
	var permanent *permanentError
	return errors.As(err, &permanent)
}

// problems collects the field errors of one input.
type problems []error

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
}

func (p *problems) addErr(err error, field, format string, args ...any) {
	*p = append(*p, &FieldError{Field: field, Problem: fmt.Sprintf(format, args...), Err: err})
}

func (p problems) err() error { return errors.Join(p...) }

// translate turns a backend's errors into those of this package.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, backend.ErrOverloaded):
		return fmt.Errorf("%w: %w", ErrOverloaded, err)
	case errors.Is(err, backend.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.Is(err, backend.ErrClosed):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	default:
		return err
	}
}

// within returns the errors that err joins as problems of a field: a field
// error names what lies below it.
func within(field string, err error) problems {
	switch e := err.(type) {
	case *FieldError:
		return problems{&FieldError{Field: field + "." + e.Field, Problem: e.Problem, Err: e.Err}}
	case interface{ Unwrap() []error }:
		all := e.Unwrap()
		if err.Error() != fmt.Sprint(errors.Join(all...)) {
			break // it has a text of its own
		}
		var found problems
		for _, one := range all {
			found = append(found, within(field, one)...)
		}
		return found
	}
	return problems{&FieldError{Field: field, Problem: err.Error(), Err: err}}
}
