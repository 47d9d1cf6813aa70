package notify

import "fmt"

// safely makes a panic of the host's code an error. Whole steps run in it too,
// since the host's code is in unlikely places, such as an UnmarshalJSON.
func safely(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return call()
}

// panicError says that something panicked, and of what type the value was: the
// value itself may hold anything.
func panicError(value any) error {
	if err, ok := value.(error); ok {
		return fmt.Errorf("panic of type %T", err)
	}
	return fmt.Errorf("panic with a %T", value)
}
