package main

import (
	"fmt"
	"io"
	"time"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/sides"
)

// plan is how much is measured.
type plan struct {
	// observers is how many there are in a job, and in one with one event
	// outstanding.
	observers, roundTripObservers []int

	rounds     int
	length     time.Duration // of a side's measurement in a round
	roundTrip  time.Duration // the same, with one event outstanding
	deadRounds int
	deadEvents int
	held       int
	cycles     int
}

func standard() plan {
	return plan{
		observers: []int{1, 10, 100}, roundTripObservers: []int{1, 10},
		rounds: 7, length: 250 * time.Millisecond, roundTrip: 80 * time.Millisecond,
		deadRounds: 11, deadEvents: 1_000_000, held: 16_384, cycles: 1000,
	}
}

// quick is for a first look: less certain.
func quick() plan {
	p := standard()
	p.rounds, p.length, p.roundTrip = 3, 60*time.Millisecond, 20*time.Millisecond
	p.deadRounds, p.held = 1, 4096
	return p
}

// results is what a plan showed.
type results struct {
	plan
	events rounds
	// send has notifications; bare is what the events that one raises cost
	// when they are emitted to as many observers, and carried what Watermill
	// CQRS takes to carry as many.
	send, bare    []bench.Each
	carried       []bench.Each
	sendRoundTrip []bench.Each
	counted       []bench.Each // bare, with a ledger
	alive, dead   []bench.DeadRun
	held          bench.Held
	left          bench.Left
	// measurements counts those of all sides; deliveries are notify's, events
	// times observers.
	measurements, deliveries int
}

// carryOut measures everything, the sides one after the other in each round.
func (p plan) carryOut(progress io.Writer) (*results, error) {
	r := &results{plan: p, events: rounds{}}
	for round := range p.rounds {
		_, _ = fmt.Fprintf(progress, "\rround %d of %d ", round+1, p.rounds)
		for _, n := range p.observers {
			if err := r.fanOut(n, bench.Outstanding, p.length); err != nil {
				return nil, err
			}
		}
		for _, n := range p.roundTripObservers {
			if err := r.fanOut(n, 1, p.roundTrip); err != nil {
				return nil, err
			}
		}
		if err := r.sendOnce(p); err != nil {
			return nil, err
		}
		if err := r.countOnce(p); err != nil {
			return nil, err
		}
	}
	for round := range p.deadRounds {
		_, _ = fmt.Fprintf(progress, "\rdead observer %d of %d ", round+1, p.deadRounds)
		if err := r.deadOnce(p.deadEvents, round%2 == 1); err != nil {
			return nil, err
		}
	}
	_, _ = fmt.Fprint(progress, "\rmemory, start and stop ")
	var err error
	if r.held, err = bench.HoldInFlight(p.held); err != nil {
		return nil, err
	}
	if r.left, err = bench.Cycle(p.cycles); err != nil {
		return nil, err
	}
	_, _ = fmt.Fprint(progress, "\r                         \r")
	return r, nil
}

func (r *results) fanOut(n, outstanding int, length time.Duration) error {
	for _, side := range sides.All() {
		cost, err := bench.FanOut(side, n, outstanding, bench.For(length))
		if err != nil {
			return err
		}
		j := job{side.Name, n, outstanding}
		r.events[j] = append(r.events[j], cost.Each())
		r.measurements++
		if side.Name == sides.NotifyName {
			r.deliveries += cost.Events * n
		}
	}
	return nil
}

func (r *results) sendOnce(p plan) error {
	run, err := bench.SendToSettled(bench.Outstanding, bench.For(2*p.length))
	if err != nil {
		return err
	}
	bare, err := bench.BareEvents(bench.Outstanding, bench.For(2*p.length))
	if err != nil {
		return err
	}
	carried, err := bench.FanOut(sides.CQRS(), bench.SendObservers, bench.Outstanding, bench.For(2*p.length))
	if err != nil {
		return err
	}
	alone, err := bench.SendToSettled(1, bench.For(p.roundTrip))
	if err != nil {
		return err
	}
	carriedEach := carried.Each()
	carriedEach.CPU *= bench.RaisedEvents
	r.send, r.bare, r.carried = append(r.send, run.Each()), append(r.bare, bare.Each()), append(r.carried, carriedEach)
	r.sendRoundTrip = append(r.sendRoundTrip, alone.Each())
	return nil
}

// deadOnce runs a pair, in turns with and without the dead observer first: a
// machine that gets slower favours neither.
func (r *results) deadOnce(events int, deadFirst bool) error {
	for _, dead := range []bool{deadFirst, !deadFirst} {
		run, err := bench.DeadObserver(dead, events)
		switch {
		case err != nil:
			return err
		case dead:
			r.dead = append(r.dead, run)
		default:
			r.alive = append(r.alive, run)
		}
	}
	return nil
}
