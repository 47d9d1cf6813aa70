package notify

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// The checks of the protocol's invariants, by their numbers there. They are
// made at every write of a record, at every call of a service, and at the end.

// stored checks a record's new version against the one before. mu is held.
func (w *world) stored(row backend.Record) {
	if strings.HasPrefix(row.ID, parkedPrefix) {
		return
	}
	next, err := recordOf(row, w.codec)
	if err != nil {
		w.violated("a stored record cannot be read: %v", err)
		return
	}
	before := w.versions[row.ID]
	w.versions[row.ID] = next
	if before == nil {
		before = &record{ID: row.ID}
	}
	w.trace("stored %s: routed %v, canceled %v, settled %v, %s, legs %s", next.ID, next.Routed, next.Canceled, next.settled(), next.state(), describeLegs(next))
	w.checkOutbox(before, next)
	for _, problem := range checkStep(before, next, circumstances{resends: w.scenario.resends, owned: w.owns, can: w.can}) {
		w.violated("%s", problem)
	}
}

// owns tells whether an execution's call is still under way.
func (w *world) owns(a *attemptRecord) bool {
	w.services.mu.Lock()
	defer w.services.mu.Unlock()
	dead := w.variant.inTurn && !w.roll.Present(a.Lease.Owner)
	return time.Now().Before(a.Lease.Until) && !dead && !w.services.answered[callName(a.Key, a.Granted)]
}

func (w *world) can(provider string) Capabilities {
	for _, s := range w.offered {
		if s.name == provider {
			return s.Capabilities
		}
	}
	return Capabilities{}
}

// checkOutbox checks that what is marked as published was, that an event's ID
// has one content, and that a fact has one ID (5).
func (w *world) checkOutbox(before, next *record) {
	for _, e := range next.Outbox {
		if e.event == nil {
			continue
		}
		if e.seq > before.Seq {
			m, err := w.codec.encode(next.fact(w.codec, e.event))
			if err != nil {
				w.violated("5: the event %s cannot be encoded: %v", e.event.id, err)
				continue
			}
			content := contentOf(m)
			if known, ok := w.raised[e.event.id]; ok && known != content {
				w.violated("5: two contents were raised for %s:\n%s\n%s", e.event.id, known, content)
			}
			w.raised[e.event.id] = content
			fact := strings.ReplaceAll(content, "ce_id="+e.event.id, "")
			if known, ok := w.facts[fact]; ok && known != e.event.id {
				w.violated("5: %s and %s are one fact: %s", known, e.event.id, fact)
			}
			w.facts[fact] = e.event.id
		}
		if _, ok := w.published[e.event.id]; e.published && !ok {
			w.violated("5: %s is marked as published, and was not", e.event.id)
		}
	}
}

// circumstances are what a record's change is judged by besides the record.
type circumstances struct {
	// resends says that a leg may be sent again in doubt.
	resends bool
	// owned tells whether an execution is at an attempt whose intent is open.
	owned func(*attemptRecord) bool
	// can tells what a provider can do.
	can func(provider string) Capabilities
}

// checkStep checks what a change of a record may do.
func checkStep(before, next *record, c circumstances) (problems []string) {
	found := func(text string) { problems = append(problems, text) }
	if before.Routed && len(before.Legs) > 0 && !reflect.DeepEqual(before.Plan, next.Plan) {
		found("4: the plan changed")
	}
	if before.Routed && len(before.Legs) != len(next.Legs) {
		found("4: the legs changed")
	}
	if before.Canceled && !next.Canceled {
		found("6: it is not canceled any more")
	}
	if before.settled() {
		if !next.SettledAt.Equal(before.SettledAt) {
			found("7: it settled twice")
		}
		if from, to := before.state(), next.state(); from != to && !corrects(next, before.Seq, from, to) {
			found("7: " + string(from) + " became " + string(to) + " after Settled without Corrected")
		}
	}
	if next.settled() && !before.settled() && !announces(next, before.Seq) {
		found("7: Settled does not say the state that it settled with")
	}
	for i := range next.Legs {
		was := &legRecord{}
		if i < len(before.Legs) {
			was = &before.Legs[i]
		}
		problems = append(problems, checkLeg(before, next, i+1, was, c)...)
	}
	return problems
}

func checkLeg(before, next *record, number int, was *legRecord, c circumstances) (problems []string) {
	found := func(text string) { problems = append(problems, text) }
	leg := next.leg(number)
	name := "leg " + itoa(number)
	switch {
	case next.settled() && leg.State != legEnded && leg.State != legWaiting:
		found("7: settled with " + name + " " + string(leg.State))
	case was.State == legEnded && leg.State != legEnded:
		found("17: " + name + " began again")
	}
	if was.State == legWaiting && leg.State != legWaiting {
		if before.settled() {
			found("17: " + name + " began after Settled")
		}
		if before.Canceled {
			found("6: " + name + " began after Cancel")
		}
		problems = append(problems, c.checkStart(next, number)...)
	}
	if len(leg.Attempts) < len(was.Attempts) {
		found("an attempt of " + name + " vanished")
	}
	for j := range leg.Attempts {
		a := &leg.Attempts[j]
		if j >= len(was.Attempts) {
			if before.Canceled {
				found("6: an attempt of " + name + " began after Cancel")
			}
			for k := range j {
				doubted := c.resends && next.Evidence.rank(number, k+1) == evidenceUnknown
				if !doubted && !c.isOver(next, number, k+1) {
					found("1, 2: an attempt of " + name + " began while attempt " + itoa(k+1) + " may have had its effect")
				}
			}
			continue
		}
		old := &was.Attempts[j]
		if a.Granted > old.Granted && a.Lease.Until.After(a.FirstCall.Add(c.can(a.Provider).KeyWindow)) {
			found("1, 2: attempt " + itoa(j+1) + " of " + name + " is called again outside its key's window")
		}
		if a.Granted > old.Granted && before.Canceled {
			found("6: attempt " + itoa(j+1) + " of " + name + " is called again after Cancel")
		}
		switch {
		case a.Granted < old.Granted || old.Over && a.Granted > old.Granted:
			found("an attempt of " + name + " was granted out of turn")
		case (a.Granted > old.Granted || a.Over && !old.Over) && !slices.Contains(a.Answered, old.Granted) && c.owned(old):
			found("3: attempt " + itoa(j+1) + " of " + name + " was ended or granted under another's live lease")
		}
	}
	return problems
}

// isOver tells whether an attempt is known to have had no effect that lasts.
func (c *circumstances) isOver(r *record, leg, ordinal int) bool {
	switch r.Evidence.rank(leg, ordinal) {
	case evidenceBounced, evidenceUndelivered:
		return true
	}
	a := r.leg(leg).attempt(ordinal)
	refused := a.allRefused() || c.can(a.Provider).ReplaysFailures && len(a.Refused) > 0
	return refused && !r.hadEffect(leg, ordinal)
}

// checkStart checks that the legs before the one that begins are over (3).
func (c *circumstances) checkStart(r *record, number int) (problems []string) {
	for _, earlier := range r.Plan.before(number, false) {
		for ordinal := range r.leg(earlier.leg).Attempts {
			switch rank := r.Evidence.rank(earlier.leg, ordinal+1); {
			case rank == evidenceSent || rank == evidenceDelivered:
				problems = append(problems, "3: leg "+itoa(number)+" began although leg "+itoa(earlier.leg)+" has "+string(rank))
			case !earlier.onDoubt && !c.isOver(r, earlier.leg, ordinal+1):
				problems = append(problems, "3: leg "+itoa(number)+" began while leg "+itoa(earlier.leg)+" is in doubt")
			}
		}
	}
	return problems
}

type earlierLeg struct {
	leg     int
	onDoubt bool
}

// before lists the legs of the First steps before the one with the leg.
func (p *plan) before(number int, onDoubt bool) (legs []earlierLeg) {
	for i := range p.Children {
		if !p.Children[i].holds(number) {
			continue
		}
		if p.Kind == routeFirst {
			for j := range i {
				for _, leg := range p.Children[j].leaves() {
					legs = append(legs, earlierLeg{leg, p.OnDoubt || onDoubt})
				}
			}
		}
		legs = append(legs, p.Children[i].before(number, onDoubt)...)
	}
	return legs
}

func (p *plan) leaves() (legs []int) {
	if p.Kind == routeChannel {
		return []int{p.Leg}
	}
	for i := range p.Children {
		legs = append(legs, p.Children[i].leaves()...)
	}
	return legs
}

func (p *plan) holds(number int) bool { return slices.Contains(p.leaves(), number) }

// corrects tells whether the version raised the Corrected events that lead
// from a state to another.
func corrects(r *record, after int64, from, to State) bool {
	at := from
	for _, e := range r.Outbox {
		if e.seq <= after || e.event == nil {
			continue
		}
		if c, ok := e.event.data.(Corrected); ok && c.From == at {
			at = c.To
		}
	}
	return at == to
}

// announces tells whether the version raised Settled with its state.
func announces(r *record, after int64) bool {
	for _, e := range r.Outbox {
		if e.seq <= after || e.event == nil {
			continue
		}
		if s, ok := e.event.data.(Settled); ok {
			return s.State == r.state()
		}
	}
	return false
}

// checkCall checks a call that reached a service (1, 6).
func (w *world) checkCall(c called, before []called) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if answered, ok := w.answers[c.notification]; ok && c.at.After(answered) {
		w.violated("6: %s was called for %s after Cancel answered canceled", c.service.name, c.key)
	}
	if w.scenario.resends {
		return
	}
	for _, earlier := range before {
		repeats := c.service.KeyWindow > 0 && earlier.key == c.key // which checkEffects counts
		if earlier.notification == c.notification && earlier.leg == c.leg && earlier.effect && !repeats {
			w.violated("1: %s was called for %s although %s had its effect", c.service.name, c.key, earlier.key)
		}
	}
}

// checkEnd checks what holds when all is over.
func (w *world) checkEnd() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, content := range w.raised {
		switch published, ok := w.published[id]; {
		case !ok:
			w.violated("5: %s was raised and never published", id)
		case published != content:
			w.violated("5: %s was published with another content:\n%s\n%s", id, content, published)
		}
	}
	for _, id := range w.accepted {
		if w.versions[id] == nil {
			w.violated("6: %s was accepted, and has no record", id)
		}
	}
	for id := range w.canceled {
		if r := w.versions[id]; r == nil || !r.Canceled {
			w.violated("19: a cancel of %s was answered, and is forgotten", id)
		}
	}
	for _, rep := range w.reported {
		if !w.knows(rep) && (!w.isParked(rep) || w.isParkedLate(rep)) {
			w.violated("20: a report on %s was answered, and is forgotten: %T", rep.Key, rep.Event)
		}
	}
	for id, r := range w.versions {
		if !r.settled() {
			w.violated("6: %s has not settled: %s, %s", id, r.state(), describeLegs(r))
		}
		w.checkOrder(r)
		w.checkEffects(r)
		w.checkSeen(r)
	}
}

// knows tells whether a report is in the record that it is about. mu is held,
// here and below.
func (w *world) knows(rep Report) bool {
	id, leg, ordinal, _ := parseAttemptKey(rep.Key)
	r := w.versions[id]
	data, _ := rep.about(r.ref(leg, ordinal))
	return r.knows(reported{leg: leg, ordinal: ordinal, suffix: attemptID(leg, ordinal, rep.kind(w.codec)), data: data})
}

// isParked tells whether a report waits for its message, and isParkedLate
// whether its message is known meanwhile.
func (w *world) isParked(rep Report) bool {
	_, err := w.shared.Load(context.Background(), parkedPrefix+messageAlias(rep.Provider, rep.MessageID))
	return err == nil
}

func (w *world) isParkedLate(rep Report) bool {
	_, err := w.shared.LoadAlias(context.Background(), messageAlias(rep.Provider, rep.MessageID))
	return err == nil && w.isParked(rep)
}

// checkOrder checks that events were published in the order in which they were
// decided (move 2).
func (w *world) checkOrder(r *record) {
	var decided []string
	for _, e := range r.Outbox {
		if e.event != nil {
			decided = append(decided, e.event.id)
		}
	}
	if got := w.order[r.ID]; !slices.Equal(decided, got) {
		w.violated("2: decided were %v, published %v", decided, got)
	}
}

// checkEffects counts what reached the recipient (2, 3).
func (w *world) checkEffects(r *record) {
	effects := make([]int, len(r.Legs))
	lasting := make([]bool, len(r.Legs))
	w.services.mu.Lock()
	defer w.services.mu.Unlock()
	for _, c := range w.services.calls {
		if c.notification != r.ID || !c.effect {
			continue
		}
		if !c.outlived {
			effects[c.leg-1]++
		}
		// What is reported after all is over was no reason to go on.
		e, cameBack := r.Evidence.find(c.leg, c.ordinal, evidenceBounced)
		if !cameBack {
			e, cameBack = r.Evidence.find(c.leg, c.ordinal, evidenceUndelivered)
		}
		if !cameBack || r.settled() && e.At.After(r.SettledAt) {
			lasting[c.leg-1] = true
		}
	}
	for i, n := range effects {
		if n > 1 && !w.scenario.resends {
			w.violated("2: leg %d had %d effects", i+1, n)
		}
	}
	w.checkFirst(&r.Plan, lasting)
}

// checkFirst checks that one step of each First had an effect that lasts (3).
func (w *world) checkFirst(p *plan, lasting []bool) {
	n := 0
	for i := range p.Children {
		child := &p.Children[i]
		if slices.ContainsFunc(child.leaves(), func(leg int) bool { return lasting[leg-1] }) {
			n++
		}
		w.checkFirst(child, lasting)
	}
	if p.Kind == routeFirst && n > 1 && !p.OnDoubt {
		w.violated("3: %d steps of a First had an effect", n)
	}
}

// checkSeen checks that the observers together saw everything, and that it
// amounts to what the record says.
func (w *world) checkSeen(r *record) {
	var fold Fold
	seen := map[string]bool{}
	for _, p := range []*process{w.victim, w.other} {
		for _, e := range w.seen[p] {
			seen[e.ID] = true
			if e.NotificationID == r.ID {
				fold.Add(e)
			}
		}
	}
	for _, id := range w.order[r.ID] {
		if !seen[id] {
			w.violated("no observer saw %s", id)
		}
	}
	if fold.State() != r.state() || fold.Settled() != r.settled() {
		w.violated("observers see %s (settled %v), the record says %s (settled %v)", fold.State(), fold.Settled(), r.state(), r.settled())
	}
}

func describeLegs(r *record) string {
	var text strings.Builder
	for i := range r.Legs {
		leg := &r.Legs[i]
		text.WriteString("[" + string(leg.Channel) + " " + string(leg.State) + " " + string(leg.Reason))
		for j := range leg.Attempts {
			a := &leg.Attempts[j]
			text.WriteString(" " + a.Provider + " granted " + itoa(a.Granted) + " answered " + itoa(len(a.Answered)) +
				" refused " + itoa(len(a.Refused)) + " " + string(r.Evidence.rank(i+1, j+1)))
			if a.Over {
				text.WriteString(" over")
			}
		}
		text.WriteString("]")
	}
	return text.String()
}
