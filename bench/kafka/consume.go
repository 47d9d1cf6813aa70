package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/bench"
)

// patience bounds a job, in which a message may have got lost.
const patience = 2 * time.Minute

// Consume has the side handle n messages that are in the topic already, each for
// as long as work takes. It is measured from when the first has come, so that
// joining the group does not count.
func (c *Cluster) Consume(side Side, n, workers int, work time.Duration) (bench.Cost, error) {
	return c.with(c.keeps, side, func(client Client, topic string) (bench.Cost, error) {
		if err := c.fill(topic, n); err != nil {
			return bench.Cost{}, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		var handled atomic.Int64
		var once sync.Once
		begun, measured, all := make(chan struct{}), make(chan struct{}), make(chan struct{})
		var failed error
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			failed = client.Consume(ctx, topic, workers, func(*message.Message) error {
				once.Do(func() { close(begun) })
				select {
				case <-measured:
				case <-ctx.Done():
					return ctx.Err()
				}
				if work > 0 {
					time.Sleep(work)
				}
				if handled.Add(1) == int64(n) {
					close(all)
				}
				return nil
			})
		}()
		defer func() {
			cancel()
			<-ended
		}()
		if err := await(ctx, begun, ended); err != nil {
			return bench.Cost{}, errors.Join(err, failed)
		}
		return bench.Measure(func() (int, error) {
			close(measured)
			return n, await(ctx, all, ended)
		})
	})
}

func await(ctx context.Context, so, ended <-chan struct{}) error {
	select {
	case <-so:
		return nil
	case <-ended:
		return errors.New("consuming has ended")
	case <-ctx.Done():
		return fmt.Errorf("not all messages were handled: %w", ctx.Err())
	}
}

// fill publishes n messages.
func (c *Cluster) fill(topic string, n int) error {
	client, err := openNotify(c.keeps.ListenAddrs())
	if err != nil {
		return err
	}
	for from := 0; from < n; from += 1000 {
		if err := client.Publish(topic, Messages(from, min(from+1000, n))...); err != nil {
			return errors.Join(err, client.Close())
		}
	}
	return client.Close()
}

// Poison has the side handle n messages, of which those of one key always fail,
// and returns which share of the others was handled within the time.
func (c *Cluster) Poison(side Side, n, workers int, within time.Duration) (share float64, err error) {
	_, err = c.with(c.keeps, side, func(client Client, topic string) (bench.Cost, error) {
		if err := c.fill(topic, n); err != nil {
			return bench.Cost{}, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		poisoned := backend.Key(Message(0))
		others := int64(n - n/Keys)
		var handled atomic.Int64
		begun, all := make(chan struct{}), make(chan struct{})
		var once sync.Once
		var failed error
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			failed = client.Consume(ctx, topic, workers, func(m *message.Message) error {
				once.Do(func() { close(begun) })
				if backend.Key(m) == poisoned {
					return errPoison
				}
				if handled.Add(1) == others {
					close(all)
				}
				return nil
			})
		}()
		if err := await(ctx, begun, ended); err != nil {
			return bench.Cost{}, errors.Join(err, failed)
		}
		select {
		case <-all:
		case <-time.After(within):
		}
		cancel()
		<-ended
		share = float64(handled.Load()) / float64(others)
		return bench.Cost{}, failed
	})
	return share, err
}

var errPoison = errors.New("poisoned")
