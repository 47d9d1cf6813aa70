// Package settle moves what lingers to an end. Each phase that a notification or
// a leg of it passes through has a limit; past it [notify.Stuck] is raised, and
// what stays may be ended.
//
//	n.Attach(settle.New(func(c *settle.Config) {
//		c.Routed.After = 12 * time.Hour
//		c.Accepted = notify.Limit{After: 4 * time.Hour, Then: settle.Expire}
//	}))
//
// # What lingers, and what becomes of it
//
// The pipeline ends by itself what it can take up: at the notification's expiry,
// at the budgets of channel and provider, at the end of the receipt window. It
// cannot if nobody takes the work: no process runs that channel, or knows the
// provider of a call in doubt. And a guard or a directory that fails each time, or a
// guard that always holds back, may last to an expiry that is months away. By
// default:
//
//	phase     stuck after                     then
//	accepted  2 h                             goes on waiting, to its expiry
//	held      7 days                          goes on waiting, to its expiry
//	routed    [notify.Budgets.Channel] + 1 h  the leg expires, the plan goes on
//	retrying  [notify.Budgets.Channel] + 1 h  the leg expires, the plan goes on
//	sending   [notify.Budgets.Channel] + 1 h  the attempt ends as unknown
//	sent      96 h                            goes on waiting, to the end of the receipt window
//
// See [notify.Phase] for what each is, and from when it counts: never while a call
// may be under way, nor while a schedule holds it back, nor, but for held, a guard.
// What may have been sent never expires, what was never called is never unknown,
// and what is known to be sent ends as sent. An answer or a report that comes later
// corrects the status ([notify.Corrected]), as ever.
//
// # What it promises
//
// It is not an observer: the sweep of a process with [notify.Roles] Route applies
// the limits, as a decision on the record like any other. Its events are stored
// with it, and work that comes late finds it and does nothing. A record says when
// its next limit is reached, so nothing is scanned for, and what waits costs no
// memory beyond its record. Records outlive the processes, and so do the times
// that limits count from; limits that change between runs take effect as
// [notify.Notifier.Linger] says. Attach it in every process, with the same limits.
//
// It stores nothing but marks of what was told in the records. A record that cannot
// be read or written is swept again; one that a newer version wrote is left to that.
// Without records ([notify.NoRecords]), and for a notification whose record is not
// written yet (one without a key, where backend and records are apart, until the
// route step takes it), nothing is bounded.
package settle

import "github.com/seed-6c01d079/notify"

// The policies, by their short names.
const (
	Report  = notify.LimitReport
	Expire  = notify.LimitExpire
	Unknown = notify.LimitUnknown
)

// Config has the limits, by phase. An After of zero is the phase's default, and a
// negative one no limit.
type Config struct {
	notify.Limits
}

// Settler bounds how long notifications linger.
type Settler struct {
	config Config
}

var _ notify.Attacher = (*Settler)(nil)

// New returns a Settler for [notify.Notifier.Attach]. Options change the [Config],
// which has the defaults of the package comment. What is wrong with it is reported
// by Ready, Run and Send, all of it at once.
func New(options ...func(*Config)) *Settler {
	s := &Settler{}
	s.config.Routed.Then, s.config.Retrying.Then, s.config.Sending.Then = Expire, Expire, Unknown
	for _, option := range options {
		option(&s.config)
	}
	return s
}

// Attach implements [notify.Attacher].
func (s *Settler) Attach(n *notify.Notifier) error {
	n.Linger(s.config.Limits)
	return nil
}
