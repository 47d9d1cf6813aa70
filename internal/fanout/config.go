package fanout

// Config bounds what a [Topic] keeps. All its fields are positive.
type Config struct {
	// Retention is how many messages are kept for groups that have not read
	// them.
	Retention int
	// MaxWork is how many messages may wait or be under way before Admit holds
	// callers back.
	MaxWork int
	// MaxParkedPerKey and MaxParked are how many messages of one key, and of
	// all, may queue in a group while their key waits.
	MaxParkedPerKey, MaxParked int
	// Moved, if set, is called without locks when a group may have finished
	// something, taken something from the log, or queued it.
	Moved func()
	// Last is what counts as the stamp of the message before the first.
	Last int64
}

// Of the defaults that whoever makes a Topic shares.
const (
	DefaultParkedPerKey = 1000
	DefaultParked       = 10_000
)
