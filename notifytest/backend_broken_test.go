package notifytest_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// handle is a Handle.
type handle = func(context.Context, *backend.Batch) (int, error)

// consuming consumes as change says.
type consuming struct {
	*memory.Backend
	consume func(ctx context.Context, c backend.Consumption, b *memory.Backend) error
}

func (b consuming) Consume(ctx context.Context, c backend.Consumption) error {
	if c.Handle == nil {
		return b.Backend.Consume(ctx, c)
	}
	return b.consume(ctx, c, b.Backend)
}

// altered changes the consumption.
func altered(change func(ctx context.Context, c *backend.Consumption, b *memory.Backend)) func() any {
	return func() any {
		return consuming{memory.New(small), func(ctx context.Context, c backend.Consumption, b *memory.Backend) error {
			change(ctx, &c, b)
			return b.Consume(ctx, c)
		}}
	}
}

// wrapped gives Handle all of a batch, as f returns it.
func wrapped(f func(ctx context.Context, all []*message.Message, attempt int, next handle, b *memory.Backend) (int, error)) func() any {
	return altered(func(consume context.Context, c *backend.Consumption, b *memory.Backend) {
		next := c.Handle
		c.Handle = func(_ context.Context, batch *backend.Batch) (int, error) {
			return f(consume, claim(batch), batch.Attempt, next, b)
		}
	})
}

// claim returns the messages that are left of the batch.
func claim(batch *backend.Batch) (all []*message.Message) {
	for batch.Next() {
		all = append(all, batch.Message())
	}
	return all
}

func reorders(ctx context.Context, all []*message.Message, attempt int, next handle, _ *memory.Backend) (int, error) {
	slices.Reverse(all)
	return next(context.WithoutCancel(ctx), backend.NewBatch(attempt, all...))
}

// oneByOne gives Handle one message of a batch at a time, as f returns it.
func oneByOne(f func(m *message.Message, next func() error) error) func() any {
	return altered(func(_ context.Context, c *backend.Consumption, _ *memory.Backend) {
		next := c.Handle
		c.Handle = func(ctx context.Context, batch *backend.Batch) (done int, _ error) {
			for batch.Next() {
				m := batch.Message()
				err := f(m, func() error { _, err := next(ctx, backend.NewBatch(batch.Attempt, m)); return err })
				if err != nil {
					return done, err
				}
				done++
			}
			return done, nil
		}
	})
}

func overlaps(_ *message.Message, next func() error) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _ = next() })
	return next()
}

func drops(m *message.Message, next func() error) error {
	if m.UUID == "3/7" || backend.Key(m) == "" {
		return nil
	}
	return next()
}

func keepsWhatWasGivenBack(ctx context.Context, all []*message.Message, attempt int, next handle, _ *memory.Backend) (int, error) {
	done, err := next(context.WithoutCancel(ctx), backend.NewBatch(attempt, all...))
	if err == nil {
		done = len(all)
	}
	return done, err
}

func miscounts(ctx context.Context, all []*message.Message, attempt int, next handle, _ *memory.Backend) (int, error) {
	return next(context.WithoutCancel(ctx), backend.NewBatch(2*attempt-1, all...))
}

func redeliversInBatch(ctx context.Context, all []*message.Message, attempt int, next handle, _ *memory.Backend) (int, error) {
	if attempt > 1 {
		all = append(all, message.NewMessage("more", []byte("0")))
	}
	done, err := next(context.WithoutCancel(ctx), backend.NewBatch(attempt, all...))
	return min(done, len(all)), err
}

func retriesInPlace(ctx context.Context, all []*message.Message, _ int, next handle, _ *memory.Backend) (done int, _ error) {
	for attempt := 1; ctx.Err() == nil && done < len(all); attempt++ {
		n, _ := next(context.WithoutCancel(ctx), backend.NewBatch(attempt, all[done:]...))
		done += n
		time.Sleep(time.Second)
	}
	return done, nil
}

// requeues puts what failed at the end, once.
func requeues(ctx context.Context, all []*message.Message, attempt int, next handle, b *memory.Backend) (int, error) {
	done, err := next(context.WithoutCancel(ctx), backend.NewBatch(attempt, all...))
	if err == nil || all[done].Metadata.Get("again") != "" {
		return done, err
	}
	again := all[done].Copy()
	again.Metadata.Set("again", "yes")
	pub, err := b.Publisher()
	if err == nil {
		err = pub.Publish("t", again)
	}
	return done + 1, err
}

func losesOnLeaving(ctx context.Context, all []*message.Message, attempt int, next handle, _ *memory.Backend) (int, error) {
	for i, m := range all {
		if ctx.Err() != nil {
			break
		}
		if _, err := next(context.WithoutCancel(ctx), backend.NewBatch(attempt, m)); err != nil {
			return i, err
		}
	}
	return len(all), nil
}

func cancelsHandlers(ctx context.Context, all []*message.Message, attempt int, next handle, _ *memory.Backend) (int, error) {
	return next(ctx, backend.NewBatch(attempt, all...))
}

// hasty returns before its handlers do.
func hasty() any {
	return consuming{memory.New(small), func(ctx context.Context, c backend.Consumption, b *memory.Backend) error {
		go func() { _ = b.Consume(ctx, c) }()
		<-ctx.Done()
		return nil
	}}
}

func deliversAfterTheEnd() any {
	return consuming{memory.New(small), func(ctx context.Context, c backend.Consumption, b *memory.Backend) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return b.Consume(ctx, c)
	}}
}

// oneAtATime handles for one group at a time.
func oneAtATime() func() any {
	return func() any {
		turn := make(chan struct{}, 1)
		return consuming{memory.New(small), func(ctx context.Context, c backend.Consumption, b *memory.Backend) error {
			next := c.Handle
			c.Handle = func(ctx context.Context, batch *backend.Batch) (int, error) {
				turn <- struct{}{}
				defer func() { <-turn }()
				return next(ctx, batch)
			}
			return b.Consume(ctx, c)
		}}
	}
}

// apart makes every member a group of its own.
func apart() func() any {
	var n atomic.Int64
	return altered(func(_ context.Context, c *backend.Consumption, _ *memory.Backend) {
		c.Group += strconv.FormatInt(n.Add(1), 10)
	})
}

// The following have one method that is wrong.

type noFix struct{ *memory.Backend }

func (noFix) Fix(context.Context, string, string, backend.Start) error { return nil }

type noRename struct{ *memory.Backend }

func (noRename) Rename(context.Context, string, string, string) error { return nil }

type noForget struct{ *memory.Backend }

func (noForget) Forget(context.Context, string, string) error { return nil }

type noLag struct{ *memory.Backend }

func (noLag) Lag(context.Context, string, string) (int64, error) { return 0, nil }

type noCatchUp struct{ *memory.Backend }

func (noCatchUp) CatchUp(ctx context.Context, _, _ string) error { return ctx.Err() }

type tooEarly struct{ *memory.Backend }

func (b tooEarly) PublishAt(_ context.Context, _ time.Time, topic string, messages ...*message.Message) error {
	pub, err := b.Publisher()
	if err == nil {
		err = pub.Publish(topic, messages...)
	}
	return err
}

// someLate brings a message after those that were due later.
type someLate struct{ *memory.Backend }

func (b someLate) PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error {
	if messages[0].UUID == "k/1" {
		at = at.Add(time.Minute)
	}
	return b.Backend.PublishAt(ctx, at, topic, messages...)
}

type admitsAll struct{ *memory.Backend }

func (admitsAll) Admit(context.Context, string, int, bool) error { return nil }

type encodesLocal struct{ *memory.Backend }

func (b encodesLocal) PublishLocal(_ time.Time, topic string, value backend.Local) error {
	pub, err := b.Publisher()
	if err == nil {
		err = pub.Publish(topic, backend.MessageOf(value))
	}
	return err
}

type neverLeave struct{ *memory.Backend }

func (b neverLeave) Enter(owner string) func() {
	b.Backend.Enter(owner)
	return func() {}
}

type nobodyEnters struct{ *memory.Backend }

func (nobodyEnters) Present(string) bool { return false }

// leavesAgain counts everybody who leaves, whether he had entered or not.
type leavesAgain struct {
	*memory.Backend
	owners map[string]int
}

func (b leavesAgain) Enter(owner string) func() {
	b.owners[owner]++
	return func() { b.owners[owner]-- }
}

func (b leavesAgain) Present(owner string) bool { return b.owners[owner] > 0 }

type newSecrets struct {
	*memory.Backend
	calls atomic.Int64
}

func (b *newSecrets) Secret(ctx context.Context, name string) ([]byte, error) {
	return b.Backend.Secret(ctx, name+strconv.FormatInt(b.calls.Add(1), 10))
}

// barePublisher loses metadata; its Close closes the backend if closes is set.
type barePublisher struct {
	*memory.Backend
	closes bool
}

func (b barePublisher) Publisher() (message.Publisher, error) {
	pub, err := b.Backend.Publisher()
	return bareHandle{pub, b}, err
}

type bareHandle struct {
	message.Publisher
	of barePublisher
}

func (h bareHandle) Publish(topic string, messages ...*message.Message) error {
	if h.of.closes {
		return h.Publisher.Publish(topic, messages...)
	}
	for _, m := range messages {
		bare := message.NewMessage(m.UUID, m.Payload)
		bare.Metadata.Set(backend.KeyMetadata, backend.Key(m))
		if err := h.Publisher.Publish(topic, bare); err != nil {
			return err
		}
	}
	return nil
}

func (h bareHandle) Close() error {
	if h.of.closes {
		return h.of.Backend.Close()
	}
	return h.Publisher.Close()
}

// nacksAreAcks takes a nack for an acknowledgement.
type nacksAreAcks struct{ *memory.Backend }

func (b nacksAreAcks) Subscriber(group string) (message.Subscriber, error) {
	sub, err := b.Backend.Subscriber(group)
	return acking{sub}, err
}

type acking struct{ message.Subscriber }

func (a acking) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := a.Subscriber.Subscribe(ctx, topic)
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for m := range in {
			given := m.Copy()
			select {
			case out <- given:
			case <-m.Context().Done():
				continue
			}
			select {
			case <-given.Acked():
			case <-given.Nacked():
			case <-m.Context().Done():
			}
			m.Ack()
		}
	}()
	return out, err
}

type noTimes struct{ *memory.Backend }

func (b noTimes) Store(ctx context.Context, r backend.Record) (int64, error) {
	r.Due, r.Expires = time.Time{}, time.Time{}
	return b.Backend.Store(ctx, r)
}

// ignoresRevision writes over whatever there is.
type ignoresRevision struct{ *memory.Backend }

func (b ignoresRevision) Store(ctx context.Context, r backend.Record) (int64, error) {
	time.Sleep(time.Millisecond) // others have their turn
	now, _ := b.Backend.Load(ctx, r.ID)
	r.Revision = now.Revision
	return b.Backend.Store(ctx, r)
}

func (b ignoresRevision) Delete(ctx context.Context, id string, _ int64) error {
	now, _ := b.Load(ctx, id)
	return b.Backend.Delete(ctx, id, now.Revision)
}

// aliasesMove gives an alias to whoever asked last.
type aliasesMove struct {
	*memory.Backend
	last sync.Map
}

func (b *aliasesMove) Store(ctx context.Context, r backend.Record) (int64, error) {
	for _, alias := range r.Aliases {
		b.last.Store(alias, r.ID)
	}
	return b.Backend.Store(ctx, r)
}

func (b *aliasesMove) LoadAlias(ctx context.Context, alias string) (backend.Record, error) {
	if id, ok := b.last.Load(alias); ok {
		return b.Load(ctx, id.(string))
	}
	return b.Backend.LoadAlias(ctx, alias)
}

type dueInDisorder struct{ *memory.Backend }

func (b dueInDisorder) Due(ctx context.Context, now time.Time, limit int) ([]string, time.Time, error) {
	ids, next, err := b.Backend.Due(ctx, now, limit)
	slices.Reverse(ids)
	return ids, next, err
}

type neverDueNext struct{ *memory.Backend }

func (b neverDueNext) Due(ctx context.Context, now time.Time, limit int) ([]string, time.Time, error) {
	ids, _, err := b.Backend.Due(ctx, now, limit)
	return ids, time.Time{}, err
}

type neverExpires struct{ *memory.Backend }

func (neverExpires) Expire(context.Context, time.Time, int) (int, error) { return 0, nil }

type lettersFromTheStart struct{ *memory.Backend }

func (b lettersFromTheStart) Letters(ctx context.Context, group, _ string, limit int) ([]backend.DeadLetter, error) {
	return b.Backend.Letters(ctx, group, "", limit)
}

// publishesFirst commits in two steps, the wrong one first.
type publishesFirst struct{ *memory.Backend }

func (b publishesFirst) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	for _, p := range out {
		if err := b.PublishAt(ctx, p.At, p.Topic, p.Message); err != nil {
			return 0, err
		}
	}
	time.Sleep(time.Millisecond)
	return b.Store(ctx, r)
}

type commitsEncoded struct{ *memory.Backend }

func (b commitsEncoded) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	for i := range out {
		m, err := backend.Wire(out[i].Message)
		if err != nil {
			return 0, err
		}
		out[i].Message = m
	}
	return b.Backend.Commit(ctx, r, out)
}

// staysOpen closes when it is told to for the second time.
type staysOpen struct {
	*memory.Backend
	told atomic.Int64
}

func (b *staysOpen) Close() error {
	if b.told.Add(1) == 1 {
		return nil
	}
	return b.Backend.Close()
}

// leaks leaves a goroutine until it is released.
type leaks struct {
	*memory.Backend
	released chan struct{}
}

func (b leaks) Close() error {
	go func() { <-b.released }()
	return b.Backend.Close()
}

// neverCounts knows of no letters.
type neverCounts struct{ *memory.Backend }

func (neverCounts) CountLetters(context.Context) (map[string]int64, error) { return nil, nil }
