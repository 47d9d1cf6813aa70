package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/durable"
)

// durablePlan is how much is measured on a database.
type durablePlan struct {
	rounds int
	length time.Duration // of writing
	read   int           // messages that are consumed
}

// standardDurable has many short rounds: a disk that others use too is slow now and
// then, and the sides of a round are to see the same of it.
func standardDurable() durablePlan {
	return durablePlan{rounds: 15, length: 300 * time.Millisecond, read: 10_000}
}

func quickDurable() durablePlan {
	return durablePlan{rounds: 5, length: 150 * time.Millisecond, read: 5000}
}

// durableJob is one row of the table.
type durableJob struct {
	name string
	// against is the job of the same round that it is compared with, if any.
	against string
	run     func(s durable.Store, p durablePlan) (bench.Cost, error)
}

// The jobs that budgets are about.
const (
	rawAccepting = "raw: a record and its work, 64 callers"
	committing   = "Commit: a record and its work, 64 callers"
	sending      = "Send, 64 callers"
	rawWriting   = "raw: a message, 64 callers"
	publishing   = "Publish: a message, 64 callers"
	rawTimeline  = "raw: an event of 6, 64 callers"
	adding       = "timeline: an event of 6, 64 callers"
)

func durableJobs() []durableJob {
	writing := func(callers int, job func(durable.Store, int, bench.Length) (bench.Cost, error)) func(durable.Store, durablePlan) (bench.Cost, error) {
		return func(s durable.Store, p durablePlan) (bench.Cost, error) { return job(s, callers, bench.For(p.length)) }
	}
	consuming := func(groups int) func(durable.Store, durablePlan) (bench.Cost, error) {
		return func(s durable.Store, p durablePlan) (bench.Cost, error) { return durable.Consume(s, groups, p.read) }
	}
	settling := func(callers int) func(durable.Store, durablePlan) (bench.Cost, error) {
		return func(s durable.Store, p durablePlan) (bench.Cost, error) {
			return durable.Settle(s, callers, bench.For(2*p.length))
		}
	}
	const rawTimelineFew = "raw: an event of 6, 8 at once" // as many as an observer handles by default
	const rawAlone, rawMessageAlone = "raw: a record and its work, 1 caller", "raw: a message, 1 caller"
	return []durableJob{
		{rawAccepting, "", writing(callers, durable.RawAccept)},
		{committing, rawAccepting, writing(callers, durable.Commit)},
		{sending, rawAccepting, writing(callers, durable.Send)},
		{rawWriting, "", writing(callers, durable.RawPublish)},
		{publishing, rawWriting, writing(callers, durable.Publish)},
		{rawAlone, "", writing(1, durable.RawAccept)},
		{"Commit: a record and its work, 1 caller", rawAlone, writing(1, durable.Commit)},
		{"Send, 1 caller", rawAlone, writing(1, durable.Send)},
		{rawMessageAlone, "", writing(1, durable.RawPublish)},
		{"Publish: a message, 1 caller", rawMessageAlone, writing(1, durable.Publish)},
		{rawTimeline, "", writing(callers, durable.RawTimeline)},
		{adding, rawTimeline, writing(callers, durable.Timeline)},
		{rawTimelineFew, "", writing(8, durable.RawTimeline)},
		{"timeline: an event of 6, 8 at once", rawTimelineFew, writing(8, durable.Timeline)},
		{"consumed by 1 group", "", consuming(1)},
		{"consumed by each of 10 groups", "", consuming(10)},
		{"Send to settled, 3 observers, 64 callers", "", settling(callers)},
		{"Send to settled, 3 observers, 1 caller", "", settling(1)},
		{"handlers/cost: a message counted, 64 callers", "", writing(callers, durable.Costs)},
	}
}

// callers is how many there are, and how many connections a raw insert may use.
const callers = 64

// durableResults is what the plan showed.
type durableResults struct {
	jobs  []durableJob
	costs map[string][]bench.Each
}

// openSQLite opens files in the temporary directory, which TMPDIR names.
func openSQLite() (durable.Store, error) { return durable.OpenSQLite("") }

func openPostgres() (durable.Store, error) {
	return durable.OpenPostgres(os.Getenv("NOTIFY_TEST_POSTGRES"), callers)
}

// carryOut measures every job, one after the other in each round.
func (p durablePlan) carryOut(progress io.Writer, open func() (durable.Store, error)) (*durableResults, error) {
	r := &durableResults{jobs: durableJobs(), costs: map[string][]bench.Each{}}
	for round := range p.rounds {
		_, _ = fmt.Fprintf(progress, "\rround %d of %d ", round+1, p.rounds)
		if err := r.round(p, open); err != nil {
			return nil, err
		}
	}
	_, _ = fmt.Fprint(progress, "\r                \r")
	return r, nil
}

// round has a store of its own, so that what the others left takes no space.
func (r *durableResults) round(p durablePlan, open func() (durable.Store, error)) error {
	store, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	for _, job := range r.jobs {
		cost, err := job.run(store, p)
		if err != nil {
			return fmt.Errorf("%s: %w", job.name, err)
		}
		r.costs[job.name] = append(r.costs[job.name], cost.Each())
	}
	return nil
}

// times is how many times as fast the job is as the other.
func (r *durableResults) times(job, other string) spread {
	return ratio(each(r.costs[other], wall), each(r.costs[job], wall))
}

func (r *durableResults) print(w io.Writer) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row(columns)
	row(columns, "", "a second", "µs each, wall", "CPU µs each", "times raw")
	for _, job := range r.jobs {
		costs, times := r.costs[job.name], "-"
		if job.against != "" {
			times = r.times(job.name, job.against).String()
		}
		cell := func(f figure) string { return short(spreadOf(each(costs, f)).median) }
		row(columns, job.name, cell(perSecond), cell(wall), cell(cpu), times)
	}
	_ = columns.Flush()
	_, _ = fmt.Fprintf(w, "\nRaw is a transaction for each call, of the same rows. Wall is the time divided by the number, also where 64 are\nunder way at once. CPU is that of this process. Nothing got lost in any of %d measurements.\n", len(r.jobs)*len(r.costs[rawWriting]))
}

// sqliteBudgets holds accepting against one wait for the disk for each call.
func (r *durableResults) sqliteBudgets() []budget {
	return []budget{
		r.budget("Send on SQLite, 64 callers, against one fsync for each", sending, rawAccepting, 8),
		r.budget("Commit on SQLite, 64 callers, against one fsync for each", committing, rawAccepting, 8),
		r.budget("Publish on SQLite, 64 callers, against one fsync for each", publishing, rawWriting, 8),
		r.budget("timeline on SQLite, 64 callers, against one fsync for each", adding, rawTimeline, 3),
	}
}

// postgresBudgets holds it against transactions that run side by side, whose
// commits the server gathers.
func (r *durableResults) postgresBudgets() []budget {
	return []budget{
		r.budget("Commit on PostgreSQL, 64 callers, against raw inserts", committing, rawAccepting, level),
		r.budget("Publish on PostgreSQL, 64 callers, against raw inserts", publishing, rawWriting, level),
	}
}

func (r *durableResults) budget(what, job, other string, least float64) budget {
	s := r.times(job, other)
	return budget{what, fmt.Sprintf("at least %g times", least), short(s.median) + " times", s.median >= least}
}
