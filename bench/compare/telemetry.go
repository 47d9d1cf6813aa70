package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/instrumented"
)

// telemetryPlan is how much is measured with and without telemetry.
type telemetryPlan struct {
	rounds    int
	length    time.Duration
	observers []int
}

// standardTelemetry has many rounds: what is to be seen is small.
func standardTelemetry() telemetryPlan {
	return telemetryPlan{rounds: 15, length: 250 * time.Millisecond, observers: []int{1, 10, 100}}
}

func quickTelemetry() telemetryPlan {
	return telemetryPlan{rounds: 5, length: 100 * time.Millisecond, observers: []int{1, 10, 100}}
}

// telemetryJob is a column of the table: sending, or emitting to that many
// observers.
type telemetryJob struct {
	name      string
	observers int // 0: sending
}

func (p telemetryPlan) jobs() []telemetryJob {
	var all []telemetryJob
	for _, n := range p.observers {
		all = append(all, telemetryJob{"Emit, n=" + strconv.Itoa(n), n})
	}
	return append(all, telemetryJob{"Send to settled", 0})
}

func (j telemetryJob) run(kind instrumented.Kind, length time.Duration) (bench.Cost, error) {
	if j.observers == 0 {
		return instrumented.Send(kind, bench.For(length))
	}
	return instrumented.Emit(kind, j.observers, bench.For(length))
}

// telemetryResults has what each job took with each kind, in each round.
type telemetryResults struct {
	telemetryPlan
	costs map[telemetryJob]map[instrumented.Kind][]bench.Each
}

// carryOut measures all kinds of a job after each other, in one order and then in
// the other: a machine that gets slower favours none.
func (p telemetryPlan) carryOut(progress io.Writer) (*telemetryResults, error) {
	r := &telemetryResults{telemetryPlan: p, costs: map[telemetryJob]map[instrumented.Kind][]bench.Each{}}
	kinds := instrumented.Kinds()
	for round := range p.rounds {
		_, _ = fmt.Fprintf(progress, "\rround %d of %d ", round+1, p.rounds)
		for _, job := range p.jobs() {
			if r.costs[job] == nil {
				r.costs[job] = map[instrumented.Kind][]bench.Each{}
			}
			for i := range kinds {
				kind := kinds[i]
				if round%2 == 1 {
					kind = kinds[len(kinds)-1-i]
				}
				cost, err := job.run(kind, p.length)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", job.name, kind, err)
				}
				r.costs[job][kind] = append(r.costs[job][kind], cost.Each())
			}
		}
	}
	_, _ = fmt.Fprint(progress, "\r                \r")
	return r, nil
}

// times is what a job takes, times what it takes without telemetry.
func (r *telemetryResults) times(job telemetryJob, kind instrumented.Kind) spread {
	return ratio(each(r.costs[job][kind], cpu), each(r.costs[job][instrumented.Plain], cpu))
}

func (r *telemetryResults) print(w io.Writer) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	table := func(title string, cell func(telemetryJob, instrumented.Kind) string) {
		row(columns)
		cells := []string{title}
		for _, job := range r.jobs() {
			cells = append(cells, job.name)
		}
		row(columns, cells...)
		for _, kind := range instrumented.Kinds() {
			cells = []string{string(kind)}
			for _, job := range r.jobs() {
				cells = append(cells, cell(job, kind))
			}
			row(columns, cells...)
		}
	}
	table("CPU each, µs", func(j telemetryJob, k instrumented.Kind) string {
		return short(spreadOf(each(r.costs[j][k], cpu)).median)
	})
	table("Times without telemetry, of the same round", func(j telemetryJob, k instrumented.Kind) string {
		return r.times(j, k).String()
	})
	table("Allocations each", func(j telemetryJob, k instrumented.Kind) string {
		return short(spreadOf(each(r.costs[j][k], allocs)).median)
	})
	_ = columns.Flush()
	_, _ = fmt.Fprintf(w, "\nSpans are made and dropped: no exporter is measured. Metrics are collected every %s.\n", instrumented.Every)
}

// mostMetrics and mostUnsampled are what telemetry may make of the bus's own cost.
const (
	mostMetrics   = 1.15
	mostUnsampled = 1.3
)

func (r *telemetryResults) budgets() []budget {
	var all []budget
	add := func(kind instrumented.Kind, what string, most float64) {
		for _, job := range r.jobs() {
			s := r.times(job, kind)
			all = append(all, budget{
				"CPU with " + what + ", " + job.name, fmt.Sprintf("below %g times that without", most), short(s.median) + " times", s.median < most,
			})
		}
	}
	add(instrumented.Metrics, "metrics", mostMetrics)
	add(instrumented.Unsampled, "metrics and unsampled traces", mostUnsampled)
	return all
}

func compareTelemetry(out, progress io.Writer, short bool, rounds, cores int) ([]budget, error) {
	p := standardTelemetry()
	if short {
		p = quickTelemetry()
	}
	if rounds > 0 {
		p.rounds = rounds
	}
	header(out, cores, p.rounds)
	r, err := p.carryOut(progress)
	if err != nil {
		return nil, err
	}
	r.print(out)
	return r.budgets(), nil
}
