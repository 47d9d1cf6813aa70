package notify

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

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

// hostPanic is a panic of the host's code.
type hostPanic struct{ text, stack string }

func (p *hostPanic) Error() string { return p.text }

// panicError says that something panicked, and of what type the value was: the
// value itself may hold anything. Call it where the panic is recovered.
func panicError(value any) error {
	p := &hostPanic{stack: string(debug.Stack())}
	if err, ok := value.(error); ok {
		p.text = fmt.Sprintf("panic of type %T", err)
	} else {
		p.text = fmt.Sprintf("panic with a %T", value)
	}
	return p
}

// stackOf is for the log: where it was that panicked, or nothing.
func stackOf(err error) slog.Attr {
	if p, ok := errors.AsType[*hostPanic](err); ok {
		return slog.String("stack", p.stack)
	}
	return slog.Attr{}
}
