package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/kafka"
)

// kafkaPlan is how much is measured on Kafka.
type kafkaPlan struct {
	rounds int
	// Publishing is measured in so many turns of a round, each of that length:
	// the shorter they are, the less of what else the machine does falls on one
	// side only.
	turns  int
	length time.Duration
	read   int // messages that are consumed with nothing to do
	worked int // and with a millisecond of work
}

func standardKafka() kafkaPlan {
	return kafkaPlan{rounds: 7, turns: 4, length: 250 * time.Millisecond, read: 100_000, worked: 10_000}
}

func quickKafka() kafkaPlan {
	return kafkaPlan{rounds: 3, turns: 2, length: 150 * time.Millisecond, read: 30_000, worked: 4000}
}

// kafkaJob is one row of the table. A side has no figures for a job that it
// cannot do.
type kafkaJob struct {
	name  string
	sides func(kafka.Side) bool
	turns func(kafkaPlan) int
	run   func(c *kafka.Cluster, p kafkaPlan, side kafka.Side) (bench.Cost, error)
}

const (
	batches = "publish, 1 caller, batches of 100"
	singles = "publish, 64 callers, one by one"
	reading = "consume, nothing to do"
	working = "consume, 1 ms of work, 64 workers"
)

func every(kafka.Side) bool        { return true }
func ordered(side kafka.Side) bool { return side.Ordered }

func several(p kafkaPlan) int { return p.turns }
func one(kafkaPlan) int       { return 1 }

var kafkaJobs = []kafkaJob{
	{batches, every, several, func(c *kafka.Cluster, p kafkaPlan, side kafka.Side) (bench.Cost, error) {
		return c.Publish(side, 1, 100, bench.For(p.length))
	}},
	{singles, every, several, func(c *kafka.Cluster, p kafkaPlan, side kafka.Side) (bench.Cost, error) {
		return c.Publish(side, 64, 1, bench.For(p.length))
	}},
	{reading, every, one, func(c *kafka.Cluster, p kafkaPlan, side kafka.Side) (bench.Cost, error) {
		return c.Consume(side, p.read, 1, 0)
	}},
	{working, ordered, one, func(c *kafka.Cluster, p kafkaPlan, side kafka.Side) (bench.Cost, error) {
		return c.Consume(side, p.worked, 64, time.Millisecond)
	}},
}

// kafkaResults is what the plan showed.
type kafkaResults struct {
	plan   kafkaPlan
	costs  map[[2]string][]bench.Each // by job and side
	shares map[string][]float64       // by side: of the other keys, beside a poisoned one
}

// carryOut measures every job, the sides one after the other in each round.
func (p kafkaPlan) carryOut(progress io.Writer) (*kafkaResults, error) {
	r := &kafkaResults{plan: p, costs: map[[2]string][]bench.Each{}, shares: map[string][]float64{}}
	cluster, err := kafka.Start()
	if err != nil {
		return nil, err
	}
	defer cluster.Close()
	for round := range p.rounds {
		_, _ = fmt.Fprintf(progress, "\rround %d of %d ", round+1, p.rounds)
		for _, job := range kafkaJobs {
			for turn := range job.turns(p) {
				if err := r.measure(cluster, job, (round+turn)%2 == 1); err != nil {
					return nil, err
				}
			}
		}
		for _, side := range kafka.Sides() {
			if !side.Ordered || round > 0 {
				continue
			}
			share, err := cluster.Poison(side, 10*kafka.Keys, 64, 2*time.Second)
			if err != nil {
				return nil, fmt.Errorf("%s: a poisoned key: %w", side.Name, err)
			}
			r.shares[side.Name] = append(r.shares[side.Name], share)
		}
	}
	_, _ = fmt.Fprint(progress, "\r                \r")
	return r, nil
}

// measure does the job with each side, one after the other: in one order or the
// other, so that a machine that gets slower favours nobody.
func (r *kafkaResults) measure(cluster *kafka.Cluster, job kafkaJob, reversed bool) error {
	sides := kafka.Sides()
	if reversed {
		slices.Reverse(sides)
	}
	for _, side := range sides {
		if !job.sides(side) {
			continue
		}
		cost, err := job.run(cluster, r.plan, side)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", side.Name, job.name, err)
		}
		at := [2]string{job.name, side.Name}
		r.costs[at] = append(r.costs[at], cost.Each())
	}
	return nil
}

// times is how many times notify's figure that of the side is.
func (r *kafkaResults) times(job, side string, f figure) spread {
	return ratio(each(r.costs[[2]string{job, side}], f), each(r.costs[[2]string{job, kafka.NotifyName}], f))
}

func (r *kafkaResults) print(w io.Writer) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, table := range []struct {
		title string
		f     figure
	}{{"Messages a second", perSecond}, {"CPU per message, µs, the cluster's too", cpu}, {"Allocations per message, the cluster's too", allocs}} {
		row(columns)
		cells := []string{table.title}
		for _, side := range kafka.Sides() {
			cells = append(cells, side.Name)
		}
		row(columns, cells...)
		for _, job := range kafkaJobs {
			cells := []string{job.name}
			for _, side := range kafka.Sides() {
				cell := "-"
				if all := r.costs[[2]string{job.name, side.Name}]; len(all) > 0 {
					cell = short(spreadOf(each(all, table.f)).median)
				}
				cells = append(cells, cell)
			}
			row(columns, cells...)
		}
	}
	for _, table := range []struct {
		title string
		f     figure
	}{{"Times as fast as", wall}, {"CPU, the cluster's too, times notify's", cpu}} {
		row(columns)
		row(columns, table.title, kafka.WatermillName, kafka.BareName)
		for _, job := range kafkaJobs {
			cells := []string{job.name}
			for _, side := range []string{kafka.WatermillName, kafka.BareName} {
				cell := "-"
				if len(r.costs[[2]string{job.name, side}]) > 0 {
					cell = r.times(job.name, side, table.f).String()
				}
				cells = append(cells, cell)
			}
			row(columns, cells...)
		}
	}
	row(columns)
	row(columns, "Beside a poisoned key, of the other keys' messages handled in 2 s")
	for _, side := range kafka.Sides() {
		if side.Ordered {
			row(columns, side.Name, fmt.Sprintf("%.0f%%", 100*spreadOf(r.shares[side.Name]).median))
		}
	}
	_ = columns.Flush()
	_, _ = fmt.Fprintf(w, "\nThe cluster is in the same process, on the same processors: where the bare client is no faster, it is the\ncluster and the client that are measured. What is published is not kept.\n")
}

// level leaves some room for noise.
const level = 0.8

func (r *kafkaResults) budgets() []budget {
	var all []budget
	for _, b := range []struct {
		job      string
		least    float64
		promised string
	}{
		{batches, 20, "20 times"},
		{singles, level, "level: at least 0.8 times"},
		{reading, 1, "ahead: at least 1 times"},
		{working, 10, "10 times"},
	} {
		s := r.times(b.job, kafka.WatermillName, wall)
		all = append(all, budget{b.job + ", against watermill-kafka", b.promised, short(s.median) + " times", s.median >= b.least})
	}
	share := spreadOf(r.shares[kafka.NotifyName]).least
	return append(all, budget{"one poisoned key", "stops no other key", fmt.Sprintf("%.0f%% of the others handled", 100*share), share == 1})
}
