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
	count := flags.Int("rounds", 0, "rounds over all sides; default 7, with -quick 3")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	p := standard()
	if *short {
		p = quick()
	}
	if *count > 0 {
		p.rounds = *count
	}
	runtime.GOMAXPROCS(*cores)

	_, _ = fmt.Fprintf(out, "%s %s/%s, %d of %d processors, %d rounds\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, *cores, runtime.NumCPU(), p.rounds)
	r, err := p.carryOut(progress)
	if err != nil {
		return err
	}
	r.print(out)
	_, _ = fmt.Fprintln(out, "\nBudgets")
	if missed := printBudgets(out, r.budgets()); missed > 0 {
		return fmt.Errorf("%d budgets were missed", missed)
	}
	return nil
}
