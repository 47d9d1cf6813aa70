package backend

// Presence is [Records] that one process has for itself, however many Notifiers
// share them in it: so it can be told whose leases are over. A lease of an owner
// that is not present was given by a process that has ended, or by one that has
// left, and is not waited for. Records that several processes share must not be
// a Presence, and neither must what only stands for records elsewhere: an owner
// that is taken for dead while it makes a call is how a recipient gets a message
// twice.
type Presence interface {
	// Enter makes the owner present until leave is called; calling that again
	// does nothing. An owner that enters again has to leave as often. It does no
	// I/O, and neither it nor leave needs the store to be open.
	Enter(owner string) (leave func())
	// Present tells whether the owner has entered, in this process, and not left.
	Present(owner string) bool
}
