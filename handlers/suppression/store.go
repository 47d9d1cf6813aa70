package suppression

import "context"

// Store keeps entries by their [Key]. All methods are safe for concurrent use.
// Package suppressiontest checks a store against this contract; [Entry.Check] and
// [Entry.Replaces] help to write one.
type Store interface {
	// Set keeps e, if the store knows nothing of its key or e [Entry.Replaces] it.
	// What is wrong with e is reported as [notify.FieldError].
	Set(ctx context.Context, e Entry) error
	// Find returns the entries of the tenant about any of the subjects that are not
	// lifted, in any order.
	Find(ctx context.Context, tenant string, subjects ...Subject) ([]Entry, error)
	// List returns a page of the entries that match q and are not lifted, ordered
	// by tenant, channel, recipient ID, address hash and scope, each byte by byte.
	// An entry that neither comes nor goes while a list is read, page by page, is
	// on exactly one of its pages. What is wrong with q is reported as
	// [notify.FieldError].
	List(ctx context.Context, q Query) (Page, error)
}

// Page is a part of a list.
type Page struct {
	Entries []Entry
	// Next is the [Query.After] of the next page; empty if there is none.
	Next string
}
