package main

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// pipelineGroup is the group of the pipeline's own work.
const pipelineGroup = "notify"

// consuming wraps a [backend.Consumer]. The point after an acknowledgement is a
// moment after Handle returned: when a backend acknowledges is its own matter.
type consuming struct {
	consumer backend.Consumer
	points   *points
	echo     bool
}

func (c consuming) Consume(ctx context.Context, what backend.Consumption) error {
	handle, name := what.Handle, "acknowledge "+stepOf(what.Topic)
	if c.echo && what.Group == pipelineGroup {
		what.MaxBatch, handle = 1, echoing(handle)
	}
	what.Handle = func(ctx context.Context, b *backend.Batch) (done int, err error) {
		done, err = handle(ctx, b)
		c.points.pass(name, false)
		time.AfterFunc(time.Millisecond, func() { c.points.pass(name, true) })
		return done, err
	}
	return c.consumer.Consume(ctx, what)
}

// echoing handles each message twice at once, as when two processes hold it. What
// counts is what came of the first.
func echoing(handle func(context.Context, *backend.Batch) (int, error)) func(context.Context, *backend.Batch) (int, error) {
	return func(ctx context.Context, b *backend.Batch) (done int, err error) {
		if !b.Next() {
			return 0, nil
		}
		second := make(chan struct{})
		go func() {
			defer close(second)
			_, _ = handle(ctx, backend.NewBatch(b.Attempt, same(b.Message())))
		}()
		done, err = handle(ctx, backend.NewBatch(b.Attempt, b.Message()))
		<-second
		return done, err
	}
}

// same is another copy of a message, as another process gets it.
func same(m *message.Message) *message.Message {
	if wire, err := backend.Wire(m); err == nil {
		return wire.Copy()
	}
	return m
}
