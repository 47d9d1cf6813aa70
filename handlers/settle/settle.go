// Package settle limits how long a notification may stay in one phase. Each
// phase that a notification or a leg of it passes through has a limit; past it
// [notify.Stuck] is raised, and a policy may end what is stuck.
//
//	n.Attach(settle.New(func(c *settle.Config) {
//		c.Routed.After = 12 * time.Hour
//		c.Accepted = notify.Limit{After: 4 * time.Hour, Then: settle.Expire}
//	}))
//
// # The limits, and what happens past them
//
// The pipeline ends by itself what it can take up: at the notification's expiry, at
// the budgets of channel and provider, at the end of the receipt window. It cannot
// if nobody takes up the work: no process runs that channel, or knows the provider
// of a call in doubt. And while a guard or a directory fails each time, or a guard
// always delays, the notification waits for its expiry, which may be months away. By
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
// See [notify.Phase] for what each is, and from when it counts. Time in which a
// call may be under way, a schedule holds the notification back or, in all phases
// but held, a guard does, never counts. What may have been sent never expires, a
// leg without a call never ends as unknown, and what is known to be sent ends as
// sent. An answer or a report that comes later corrects the status
// ([notify.Corrected]).
//
// # What it promises
//
// It is not an observer: the sweep of a process with [notify.Roles] Route applies
// the limits, as a decision on the record like any other. The decision's events
// are stored with it, and work that comes later finds the decision and does
// nothing. A record says when its next limit is reached, so nothing is scanned,
// and a waiting notification takes no memory beyond its record. Records outlive
// processes, and so do the times that limits count from; limits that change
// between runs take effect as [notify.Notifier.Linger] says. Attach it in every
// process, with the same limits.
//
// It stores nothing but marks in the records, of the limits that were reached. A
// record that cannot be read or written is swept again; one that a newer version
// wrote is left to that. Without records ([notify.NoRecords]), and for a
// notification whose record is not written yet (one without a key, where backend and
// records are apart, until the route step takes it), there are no limits.
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

// Settler applies limits to how long notifications stay in a phase.
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
