package sides

import "github.com/seed-6c01d079/notify/bench"

// Loop is a plain loop that calls the observers' functions: the floor.
func Loop() bench.Side {
	return bench.Side{Name: "plain loop of calls", Start: func(n int, gate *bench.Gate) (bench.Bus, error) {
		l := make(loop, n)
		for i := range l {
			l[i] = func(e bench.Event) { gate.Handled(i, e.Seq) }
		}
		return l, nil
	}}
}

type loop []func(e bench.Event)

func (l loop) Publish(seq uint64) error {
	e := bench.NewEvent(seq)
	for _, handle := range l {
		handle(e)
	}
	return nil
}

func (l loop) Close() error { return nil }
