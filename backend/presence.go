package backend

// Presence is [Records] that only one process uses, with any number of Notifiers
// in it: so it is known whose leases are over. A lease of an owner that is not
// present belongs to a process that has ended, or to an owner that has left, and
// is not waited for. Records that several processes share must not be a
// Presence, and neither must a proxy for records elsewhere: if an owner is taken
// for dead while it makes a call, a recipient gets a message twice.
type Presence interface {
	// Enter makes the owner present until leave is called; calling that again
	// does nothing. An owner that enters again has to leave as often. It does no
	// I/O, and neither it nor leave needs the store to be open.
	Enter(owner string) (leave func())
	// Present tells whether the owner has entered, in this process, and not left.
	Present(owner string) bool
}
