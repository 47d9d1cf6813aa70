package main

import (
	"fmt"
	"io"

	"github.com/seed-6c01d079/notify/bench"
)

// countOnce measures events with a ledger of their costs.
func (r *results) countOnce(p plan) error {
	counted, err := bench.CountedEvents(bench.Outstanding, bench.For(2*p.length))
	if err == nil {
		r.counted = append(r.counted, counted.Each())
	}
	return err
}

// countedRows compares it with the same events without.
func (r *results) countedRows(w io.Writer) {
	row(w, fmt.Sprintf("... the %d events with handlers/cost in memory beside the observers, CPU µs", bench.RaisedEvents), short(spreadOf(each(r.counted, cpu)).median))
	row(w, "... ... times those without", ratio(each(r.counted, cpu), each(r.bare, cpu)).String())
}
