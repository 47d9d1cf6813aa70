package notify

import "context"

// Directory knows the host's recipients. It is used by many goroutines at once.
type Directory interface {
	// Lookup completes a recipient of whom only the ID is known: name, locale
	// and addresses. An error that wraps [ErrNotFound] says that there is no
	// such recipient, which makes the notification undeliverable; any other
	// error is tried again.
	Lookup(ctx context.Context, id string) (Recipient, error)
}

// DirectoryFunc is a function that is a [Directory].
type DirectoryFunc func(ctx context.Context, id string) (Recipient, error)

// Lookup implements [Directory].
func (f DirectoryFunc) Lookup(ctx context.Context, id string) (Recipient, error) { return f(ctx, id) }
