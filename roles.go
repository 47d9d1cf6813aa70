package notify

import "slices"

// Roles is the part of the pipeline that a process runs. The zero value only
// accepts: Send, Cancel, Report, Status, Wait and Watch work in every process.
type Roles struct {
	// Route runs the route step and the sweep.
	Route bool
	// Deliver runs the deliver step, of Channels, or of all that have a
	// provider here if that is empty.
	Deliver  bool
	Channels []Channel
	// Observe runs the observers that are registered here.
	Observe bool
	// Elsewhere are channels that other processes deliver. A process that
	// routes must know them, or it rejects them as having no provider. If a
	// notification was accepted by another process that routes and knows the
	// channel, which may be of a newer version, it is left to other processes
	// for an hour before its channel is rejected.
	Elsewhere []Channel
}

func allRoles() *Roles { return &Roles{Route: true, Deliver: true, Observe: true} }

func (r *Roles) delivers(c Channel) bool {
	return r.Deliver && (len(r.Channels) == 0 || slices.Contains(r.Channels, c))
}
