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

// journal is what a group got, and what was wrong with it.
type journal struct {
	bench *backendBench

	mu       sync.Mutex
	all      []got
	finished []got
	next     map[string]int
	inHand   map[string]bool
	handling int // now
	most     int // handling at once
	wrong    []string
}

func (b *backendBench) journal() *journal {
	return &journal{bench: b, next: map[string]int{}, inHand: map[string]bool{}}
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
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

func (j *journal) begin(g got) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, g)
	j.handling++
	j.most = max(j.most, j.handling)
	if j.inHand[g.key] {
		j.wrong = append(j.wrong, fmt.Sprintf("two messages of key %s were in hand at once", g.key))
	}
	j.inHand[g.key] = true
	if want := j.next[g.key]; j.bench.features.Ordered && g.n != want {
		j.wrong = append(j.wrong, fmt.Sprintf("key %s: message %d came when %d was next", g.key, g.n, want))
	}
	if slices.ContainsFunc(j.finished, func(f got) bool { return f.key == g.key && f.n == g.n }) {
		j.wrong = append(j.wrong, fmt.Sprintf("key %s: message %d came again after it was finished", g.key, g.n))
	}
}

func (j *journal) end(g got, finished bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.handling--
	j.inHand[g.key] = false
	if finished {
		j.next[g.key] = g.n + 1
		j.finished = append(j.finished, g)
	}
}

// deliveries are those of the keys, or all.
func (j *journal) deliveries(keys ...string) []got {
	j.mu.Lock()
	defer j.mu.Unlock()
	return only(j.all, keys)
}

func only(all []got, keys []string) []got {
	return slices.DeleteFunc(slices.Clone(all), func(g got) bool { return len(keys) > 0 && !slices.Contains(keys, g.key) })
}

// count is how many messages of the keys, or of all, were finished.
func (j *journal) count(keys ...string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(only(j.finished, keys))
}

// complete waits until n messages are finished, then sees that no more come
// and nothing was wrong.
func (j *journal) complete(what string, n int) {
	j.bench.Helper()
	j.bench.eventually(fmt.Sprintf("%s: %d messages are finished", what, n), func() bool { return j.count() >= n })
	j.bench.quiet()
	j.right(what)
	if found := j.count(); found != n {
		j.bench.Fatalf("%s: %d messages were finished, of %d", what, found, n)
	}
}

// right fails the test if something was wrong.
func (j *journal) right(what string) {
	j.bench.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, wrong := range j.wrong {
		if i == 3 {
			j.bench.Errorf("%s: and %d more", what, len(j.wrong)-i)
			break
		}
		j.bench.Errorf("%s: %s", what, wrong)
	}
	if len(j.wrong) > 0 {
		j.bench.FailNow()
	}
}
