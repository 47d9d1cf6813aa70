// Command compare measures notify side by side with other ways to get events
// to observers, all in one process, and holds it against its budgets. It exits
// with 1 if a budget is missed or an event got lost.
//
// See docs/benchmarks.md for how to read what it prints.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/seed-6c01d079/notify/bench/durable"
)

func main() {
	if err := run(os.Stdout, os.Stderr, os.Args[1:]); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(out, progress io.Writer, args []string) error {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(progress)
	short := flags.Bool("quick", false, "measure less: a minute, and less certain")
	cores := flags.Int("cores", 2, "use that many processors (GOMAXPROCS); the budgets are for 2")
	onKafka := flags.Bool("kafka", false, "measure the Kafka backend against watermill-kafka instead, on a cluster in this process")
	onSQLite := flags.Bool("sqlite", false, "measure the SQLite backend against one fsync for each call instead, in files where TMPDIR says")
	onPostgres := flags.Bool("postgres", false, "measure the PostgreSQL backend against raw inserts instead, on a temporary server, or on what NOTIFY_TEST_POSTGRES names")
	onTelemetry := flags.Bool("telemetry", false, "measure notify with and without telemetry instead")
	count := flags.Int("rounds", 0, "rounds over all sides; default 7, with -quick 3; of a database 15 and 5")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	runtime.GOMAXPROCS(*cores)
	var all []budget
	var err error
	switch {
	case *onKafka:
		all, err = compareKafka(out, progress, *short, *count, *cores)
	case *onSQLite:
		all, err = compareDurable(out, progress, *short, *count, *cores, openSQLite, (*durableResults).sqliteBudgets)
	case *onPostgres:
		all, err = compareDurable(out, progress, *short, *count, *cores, openPostgres, (*durableResults).postgresBudgets)
	case *onTelemetry:
		all, err = compareTelemetry(out, progress, *short, *count, *cores)
	default:
		all, err = compare(out, progress, *short, *count, *cores)
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "\nBudgets")
	if missed := printBudgets(out, all); missed > 0 {
		return fmt.Errorf("%d budgets were missed", missed)
	}
	return nil
}

func compare(out, progress io.Writer, short bool, rounds, cores int) ([]budget, error) {
	p := standard()
	if short {
		p = quick()
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

func compareKafka(out, progress io.Writer, short bool, rounds, cores int) ([]budget, error) {
	p := standardKafka()
	if short {
		p = quickKafka()
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

func compareDurable(
	out, progress io.Writer, short bool, rounds, cores int, open func() (durable.Store, error), budgets func(*durableResults) []budget,
) ([]budget, error) {
	p := standardDurable()
	if short {
		p = quickDurable()
	}
	if rounds > 0 {
		p.rounds = rounds
	}
	header(out, cores, p.rounds)
	r, err := p.carryOut(progress, open)
	if err != nil {
		return nil, err
	}
	r.print(out)
	return budgets(r), nil
}

func header(out io.Writer, cores, rounds int) {
	_, _ = fmt.Fprintf(out, "%s %s/%s, %d of %d processors, %d rounds\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, cores, runtime.NumCPU(), rounds)
}
