package notify

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Worker is an [Attacher] that has work to do beside what its observers handle,
// such as a queue that it empties. The Notifier calls Work where observers run
// ([Roles]), in a goroutine of its own, once those that were registered have
// started, and waits for it as for an observer's handler.
type Worker interface {
	Attacher
	// Work goes on until stopping is closed, once the observers that run here have
	// ended, then finishes what is under way and returns. When ctx ends the time for
	// that is over: what then does not return within a second is named by Close, and
	// left behind. After an error or a panic Work is called again, following a
	// pause, which ends when stopping is closed, and [Notifier.Health] tells of it;
	// after nil it is not, nor once it failed with stopping closed. ctx carries no
	// cause: what is emitted by it answers no event.
	Work(ctx context.Context, stopping <-chan struct{}) error
}

// workers are the Workers that were attached.
type workers struct {
	log  *slog.Logger
	hard context.Context // ends what does not end by itself

	mu  sync.Mutex // guards the following
	all []*working
	run context.Context    // ends when they have to stop; nil until they may start
	end context.CancelFunc // of run
}

// working is a Worker and how it fares.
type working struct {
	Worker
	ended chan struct{} // nil until it was started
	err   error         // how it failed last; guarded by workers.mu
	at    time.Time     // when; guarded by workers.mu
}

func (w *working) name() string { return fmt.Sprintf("the work of %T", w.Worker) }

// add takes a worker in, and starts it if the others run.
func (w *workers) add(one Worker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	added := &working{Worker: one}
	w.all = append(w.all, added)
	if w.run != nil && w.run.Err() == nil {
		w.beginLocked(added)
	}
}

// start starts them; they stop when stop is called.
func (w *workers) start(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.run, w.end = context.WithCancel(context.WithoutCancel(ctx))
	for _, one := range w.all {
		w.beginLocked(one)
	}
}

// stop has them stop, if they were started.
func (w *workers) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.end != nil {
		w.end()
	}
}

func (w *workers) beginLocked(one *working) {
	one.ended = make(chan struct{})
	run := w.run
	go func() {
		defer close(one.ended)
		w.keep(run, one)
	}()
}

// keep calls Work until it is done or has to stop; if it waits to be tried again
// then, it is once more.
func (w *workers) keep(run context.Context, one *working) {
	defer w.note(one, nil)
	for failures := 1; w.hard.Err() == nil; failures++ {
		began := time.Now()
		err := safely(func() error { return one.Work(w.hard, run.Done()) })
		if err == nil {
			return
		}
		if run.Err() != nil {
			w.log.Error("notify: a worker failed when it had to stop", "worker", fmt.Sprintf("%T", one.Worker), "error", err)
			return
		}
		if time.Since(began) > healthy {
			failures = 1
		}
		err = fmt.Errorf("notify: %s stopped, and is tried again: %w", one.name(), err)
		w.note(one, err)
		w.log.Error("notify: a worker stopped, and will be tried again", "worker", fmt.Sprintf("%T", one.Worker), "error", err)
		sleep(run, stepBackoff(failures))
	}
}

func (w *workers) note(one *working, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one.err, one.at = err, time.Now()
}

// failing returns how those failed that have not lasted for long since.
func (w *workers) failing(now time.Time) []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []error
	for _, one := range w.all {
		if one.err != nil && now.Sub(one.at) <= healthy {
			all = append(all, one.err)
		}
	}
	slices.SortFunc(all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return all
}

// tasks are those that were started.
func (w *workers) tasks() []task {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []task
	for _, one := range w.all {
		if one.ended != nil {
			all = append(all, task{name: one.name(), ended: one.ended})
		}
	}
	return all
}
