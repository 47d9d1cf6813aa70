package notifytest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// thing is the n-th of its key, as the context of a local message.
type thing struct {
	context.Context
	key string
	n   int
}

func (t *thing) Key() string { return t.key }

func (t *thing) Wire() (*message.Message, error) { return wire(t.key, t.n), nil }

func local(key string, n int) *message.Message {
	m := new(message.Message)
	m.SetContext(&thing{Context: context.Background(), key: key, n: n})
	return m
}

// valueOf is what a local message stands for.
func valueOf(m *message.Message) backend.Local { return m.Context().(backend.Local) }

// got is a delivery of a message.
type got struct {
	key     string
	n       int
	attempt int
	length  int // of the batch
	at      time.Time
	message *message.Message
}

func gotOf(m *message.Message) (got, error) {
	if t, ok := m.Context().(*thing); ok {
		return got{key: t.key, n: t.n, message: m}, nil
	}
	n, err := strconv.Atoi(string(m.Payload))
	if err != nil {
		return got{}, fmt.Errorf("a message was delivered that nobody published: payload %q", m.Payload)
	}
	return got{key: backend.Key(m), n: n, message: m}, nil
}

// named is a message by its key and number.
type named struct {
	key string
	n   int
}

// journal is what a group got, and what was wrong with it.
type journal struct {
	bench *backendBench

	mu       sync.Mutex
	all      []got
	finished map[named]bool
	perKey   map[string]int // of finished
	next     map[string]int
	inHand   map[string]bool
	handling int // now
	most     int // handling at once
	wrong    []string
	wrongs   map[string]int // by format
}

func (b *backendBench) journal() *journal {
	return &journal{bench: b, finished: map[named]bool{}, perKey: map[string]int{}, wrongs: map[string]int{}, next: map[string]int{}, inHand: map[string]bool{}}
}

// from says that message n of the key is the first to come.
func (j *journal) from(key string, n int) *journal {
	j.next[key] = n
	return j
}

// handle makes a Handle of a function for one message; nil finishes all.
func (j *journal) handle(f func(g got) error) func(context.Context, *backend.Batch) (int, error) {
	return func(_ context.Context, batch *backend.Batch) (done int, err error) {
		for batch.Next() {
			g, err := gotOf(batch.Message())
			if err != nil {
				j.complain("%v", err)
				done++
				continue
			}
			g.attempt, g.length, g.at = batch.Attempt, batch.Len(), time.Now()
			j.begin(g)
			if f != nil {
				err = f(g)
			}
			j.end(g, err == nil)
			if err != nil {
				return done, err
			}
			done++
		}
		return done, nil
	}
}

func (j *journal) complain(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(format, args...)
}

// note keeps the first three complaints of a kind. mu is held.
func (j *journal) note(format string, args ...any) {
	if j.wrongs[format]++; j.wrongs[format] <= 3 {
		j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
	}
}

func (j *journal) begin(g got) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, g)
	j.handling++
	j.most = max(j.most, j.handling)
	if j.inHand[g.key] {
		j.note("two messages of key %s were in hand at once", g.key)
	}
	j.inHand[g.key] = true
	if want := j.next[g.key]; j.bench.features.Ordered && g.n != want {
		j.note("key %s: message %d came when %d was next", g.key, g.n, want)
	}
	if j.finished[named{g.key, g.n}] {
		j.note("key %s: message %d came again after it was finished", g.key, g.n)
	}
}

func (j *journal) end(g got, finished bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.handling--
	j.inHand[g.key] = false
	if finished {
		j.next[g.key] = g.n + 1
		j.finished[named{g.key, g.n}] = true
		j.perKey[g.key]++
	}
}

// deliveries are those of the keys, or all.
func (j *journal) deliveries(keys ...string) []got {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(j.all), func(g got) bool { return len(keys) > 0 && !slices.Contains(keys, g.key) })
}

// count is how often a message was finished, of the keys or of all.
func (j *journal) count(keys ...string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, finished := range j.perKey {
		if len(keys) == 0 || slices.Contains(keys, key) {
			n += finished
		}
	}
	return n
}

// busiest is how many messages were in hand at once, at most.
func (j *journal) busiest() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.most
}

// complete waits until n messages are finished, then sees that no more come
// and nothing was wrong.
func (j *journal) complete(what string, n int) {
	j.bench.Helper()
	came := j.bench.comesTrue(func() bool { return j.count() >= n })
	if came {
		j.bench.quiet()
	}
	j.right(what)
	if !came {
		j.bench.Fatalf("%s: after %v, %d of %d messages are finished", what, j.bench.features.Patience, j.count(), n)
	}
	if found := j.count(); found != n {
		j.bench.Fatalf("%s: %d messages are finished, and there were %d", what, found, n)
	}
}

// right fails the test if something was wrong.
func (j *journal) right(what string) {
	j.bench.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, wrong := range j.wrong {
		j.bench.Errorf("%s: %s", what, wrong)
	}
	if len(j.wrong) > 0 {
		j.bench.FailNow()
	}
}
