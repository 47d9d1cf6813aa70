package notify

import (
	"fmt"

	"github.com/seed-6c01d079/notify/backends/memory"
)

// Guarantees says in words what this Notifier guarantees with its backend,
// records and providers. Run logs it once.
func (n *Notifier) Guarantees() []string {
	var all []string
	_, inMemory := n.config.Backend.(*memory.Backend)
	switch {
	case inMemory:
		all = append(all, "What is sent is kept in memory: it is lost if the process ends before it settled.")
	case n.ledger.carried != nil:
		all = append(all, "What Send accepted settles, whatever crashes, as durably as the backend keeps work.")
	case n.ledger.atomic != nil:
		all = append(all, "What Send accepted settles, whatever crashes: backend and records change in one transaction.")
	default:
		all = append(all, "What Send accepted settles, whatever crashes, as durably as the backend and the records keep it.")
	}
	if n.ledger.carried != nil {
		all = append(all,
			"There are no records: no idempotency keys, Cancel, Status or Report, no routes with All, and no receipts.",
			"When a process dies, or loses its work to another, before that is acknowledged, its last step is done again: the call too, under the same key. If the step had passed the work on, both go on, and the recipient may get the notification twice.")
	}
	if n.ledger.delayed == nil {
		all = append(all, "The backend holds no delayed work: the sweep brings it back when it is due.")
	}
	if n.bus.positions == nil {
		all = append(all, "The backend does not fix positions: an observer sees what is raised once its subscription is made, and its lag is not known.")
	}
	all = append(all, "Every event reaches every observer at least once, with the same ID each time.")
	for _, s := range n.senders() {
		name := s.policy.Name
		switch {
		case s.policy.KeyWindow > 0:
			all = append(all, fmt.Sprintf("%s: a call without an answer is repeated under its key for %s; a process that freezes between check and call for longer than that may send twice.", name, s.policy.KeyWindow))
		case s.policy.ResendInDoubt:
			all = append(all, name+": a call without an answer is sent again: the recipient may get it twice.")
		case s.policy.CanAsk:
			all = append(all, name+": a call without an answer is asked about, and ends as Unknown if the provider does not know.")
		default:
			all = append(all, name+": a call without an answer is never repeated, and ends as Unknown.")
		}
	}
	return all
}
