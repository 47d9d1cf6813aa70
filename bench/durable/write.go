package durable

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/bench"
)

// call has callers call f, each again when its call has returned, for the
// length, and returns how many calls there were.
func call(callers int, length bench.Length, f func(n int64) error) (bench.Cost, error) {
	return bench.Measure(func() (int, error) {
		var mu sync.Mutex // of length
		var calls atomic.Int64
		goesOn := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return length(int(calls.Load()))
		}
		failed := make([]error, callers)
		var calling sync.WaitGroup
		for i := range callers {
			calling.Go(func() {
				for goesOn() && failed[i] == nil {
					failed[i] = f(calls.Add(1))
				}
			})
		}
		calling.Wait()
		return int(calls.Load()), errors.Join(failed...)
	})
}

// RawPublish inserts messages, each in a transaction.
func RawPublish(s Store, callers int, length bench.Length) (bench.Cost, error) {
	return raw(s, callers, length, func(r Raw, m Row) error { return r.Publish(m) })
}

// RawAccept inserts records with a message each, each pair in a transaction.
func RawAccept(s Store, callers int, length bench.Length) (bench.Cost, error) {
	return raw(s, callers, length, func(r Raw, m Row) error { return r.Accept(m, newRecord()) })
}

func raw(s Store, callers int, length bench.Length, insert func(Raw, Row) error) (bench.Cost, error) {
	r, err := s.Raw()
	if err != nil {
		return bench.Cost{}, err
	}
	cost, err := call(callers, length, func(n int64) error {
		m, err := rowOf(n)
		if err != nil {
			return err
		}
		return insert(r, m)
	})
	return cost, errors.Join(err, r.Close())
}

// Publish publishes messages one by one.
func Publish(s Store, callers int, length bench.Length) (bench.Cost, error) {
	return with(s, func(b Backend) (bench.Cost, error) {
		pub, err := b.Publisher()
		if err != nil {
			return bench.Cost{}, err
		}
		return call(callers, length, func(n int64) error { return pub.Publish("events", messageOf(n)) })
	})
}

// Commit commits records with a message each.
func Commit(s Store, callers int, length bench.Length) (bench.Cost, error) {
	return with(s, func(b Backend) (bench.Cost, error) {
		return call(callers, length, func(n int64) error {
			r := newRecord()
			_, err := b.Commit(context.Background(), backend.Record{
				ID: strconv.FormatInt(n, 10), Body: backend.Bytes(r.Body), Due: r.Due, Expires: r.Expires,
			}, []backend.Publication{{Topic: "route", Message: messageOf(n)}})
			return err
		})
	})
}

// Send sends notifications by a Notifier that accepts and does no more.
func Send(s Store, callers int, length bench.Length) (bench.Cost, error) {
	return with(s, func(b Backend) (bench.Cost, error) {
		n, stop, err := bench.Open(notify.Config{Backend: b, KeepBackend: true, Roles: &notify.Roles{}, AddressKey: addressKey}, func(*notify.Notifier) {})
		if err != nil {
			return bench.Cost{}, err
		}
		cost, err := call(callers, length, func(seq int64) error {
			_, err := n.Send(context.Background(), notification(seq))
			return err
		})
		return cost, errors.Join(err, stop())
	})
}

var addressKey = []byte("sixteen bytes of a benchmark")

func notification(n int64) notify.Notification {
	return notify.Notification{
		To: notify.Recipient{
			ID: "u_" + strconv.FormatInt(n, 10), Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"},
		},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
	}
}

// with does a job on a new backend.
func with(s Store, job func(b Backend) (bench.Cost, error)) (bench.Cost, error) {
	b, done, err := s.Backend()
	if err != nil {
		return bench.Cost{}, err
	}
	cost, err := job(b)
	return cost, errors.Join(err, done())
}
