package notifytest

import (
	"context"
	"slices"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

func tailChecks() []backendCheck {
	return []backendCheck{
		{name: "a key's messages without a group", needs: []string{"Tailer", "Ordered", "Kept"}, check: checkTail},
		{name: "looking can be ended", needs: []string{"Tailer", "Kept"}, check: checkTailEnds},
	}
}

// tail is somebody who looks at a key's messages.
type tail struct {
	bench *backendBench
	what  string
	came  chan int
	ended chan error
	end   context.CancelFunc
}

// tail looks at the key "k" of topic "t" until the check is over, or most of its
// messages have come.
func (b *backendBench) tail(what string, since time.Time, most int) *tail {
	ctx, cancel := context.WithCancel(b.ctx)
	l := &tail{bench: b, what: what, came: make(chan int, 100), ended: make(chan error, 1), end: cancel}
	b.Cleanup(func() {
		cancel()
		<-l.ended
	})
	go func() {
		defer close(l.ended)
		for m, err := range b.subject.(backend.Tailer).Tail(ctx, "t", "k", since) {
			if err != nil {
				l.ended <- err
				return
			}
			one, err := gotOf(m)
			if err != nil || one.key != "k" {
				one.n = -1
			}
			l.came <- one.n
			if most--; most == 0 {
				return
			}
		}
	}()
	return l
}

// shows fails the test unless those messages, and no other, are what comes next.
func (l *tail) shows(want ...int) {
	l.bench.Helper()
	var came []int
	late := time.NewTimer(l.bench.features.Patience)
	defer late.Stop()
	for len(came) < len(want) {
		select {
		case n := <-l.came:
			came = append(came, n)
		case err := <-l.ended:
			l.bench.Fatalf("%s: the sequence ended after %v, with %v", l.what, came, err)
		case <-late.C:
			l.bench.Fatalf("%s: after %v, %v came, and %v was published", l.what, l.bench.features.Patience, came, want)
		}
	}
	if !slices.Equal(came, want) {
		l.bench.Fatalf("%s: %v came, and %v was published (-1 is of another key)", l.what, came, want)
	}
}

// ends fails the test if the sequence does not end soon, without an error.
func (l *tail) ends() {
	l.bench.Helper()
	l.bench.soon(l.what+": the sequence", func() {
		if err := <-l.ended; err != nil {
			l.bench.Errorf("%s: the sequence ended with %v", l.what, err)
		}
	})
}

func checkTail(b *backendBench) {
	const apart = 100 * time.Millisecond // more than a backend's times are exact to
	b.publish("t", "k", 0, 3)
	b.publish("t", "other", 0, 3)
	time.Sleep(apart)
	since := time.Now()
	time.Sleep(apart)
	b.publish("t", "k", 3, 5)
	whole, late := b.tail("from the start", time.Time{}, 0), b.tail("since a time", since, 0)
	whole.shows(0, 1, 2, 3, 4)
	late.shows(3, 4)
	b.publish("t", "other", 3, 6)
	b.publish("t", "k", 5, 7)
	whole.shows(5, 6)
	late.shows(5, 6)
	b.tail("once more, since nobody acknowledged", time.Time{}, 0).shows(0, 1, 2, 3, 4, 5, 6)
}

func checkTailEnds(b *backendBench) {
	b.publish("t", "k", 0, 3)
	whole := b.tail("one whose context ends", time.Time{}, 0)
	whole.shows(0, 1, 2)
	whole.end()
	whole.ends()
	some := b.tail("one who has seen enough", time.Time{}, 2)
	some.shows(0, 1)
	some.ends()
}
