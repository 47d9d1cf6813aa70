package window

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/internal/fanout"
)

// Config bounds what a [Window] holds.
type Config struct {
	// MaxParkedPerKey is how many messages of one key may queue while the key
	// waits for a message that failed or is slow; beyond that, those behind one
	// that failed go to Consumption.Overflow. Default 1,000.
	MaxParkedPerKey int
	// MaxParked is how many messages of all keys may queue so before no more of
	// the added ones are taken up. Default 10,000.
	MaxParked int
	// Moved, if set, is told that Position and Low may have changed. It is
	// called by many goroutines and must not block.
	Moved func()
	// After is the position before the first item that will be added: what
	// Position and Low say until then.
	After int64
}

// Item is a message with its position in the backend's log.
type Item struct {
	// Position is of the backend's choosing. It ascends from item to item.
	Position int64
	Message  *message.Message
}

// Waiting is an item that failed, or that queues behind one of its key that
// did.
type Waiting struct {
	Position int64
	// Attempt is how often the item has failed; 0 for one that queues.
	Attempt int
	// Due is when the item is delivered again; zero if it is under way.
	Due time.Time
}

// Position is what a backend writes down for a group.
type Position struct {
	// At is the position of the first item, in the order in which they were
	// added, that is neither finished nor waiting: the next to be read after a
	// restart. If there is none, Clear is set, and At is the item that was added
	// last: reading goes on behind it.
	At    int64
	Clear bool
	// Waiting are the items before At that are not finished, by Position: they do
	// not keep At back. An item that was in Waiting once stays there until it is
	// finished.
	Waiting []Waiting
}

// Window holds what was read from a log for one consumer group and is not
// finished, and delivers it to the members of the group in this process. All its
// methods are safe for concurrent use.
type Window struct {
	config fanout.Config
	topic  *fanout.Topic
	group  *fanout.Group
	moved  func()
	room   chan struct{}   // Room looks again
	open   context.Context // ends with Close
	shut   context.CancelFunc

	mu     sync.Mutex
	closed bool
	final  *fanout.Unfinished // after Close
	active sync.WaitGroup     // calls of Consume; none is added once closed
}

// New returns an empty window. Nothing runs before Consume.
func New(opts ...func(*Config)) *Window {
	var c Config
	for _, opt := range opts {
		opt(&c)
	}
	w := &Window{moved: c.Moved, room: make(chan struct{}, 1)}
	w.open, w.shut = context.WithCancel(context.Background())
	w.config = fanout.Config{
		Retention: math.MaxInt, MaxWork: math.MaxInt,
		MaxParkedPerKey: positive(c.MaxParkedPerKey, fanout.DefaultParkedPerKey),
		MaxParked:       positive(c.MaxParked, fanout.DefaultParked),
		Moved:           w.move, Last: c.After,
	}
	w.topic = fanout.New(&w.config)
	w.group = w.topic.Group("", backend.FromOldest())
	return w
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

func (w *Window) move() {
	w.signal()
	if w.moved != nil {
		w.moved()
	}
}

func (w *Window) signal() {
	select {
	case w.room <- struct{}{}:
	default:
	}
}

// Restore makes items wait again that did when the position was written down,
// as [Position.Waiting] had them and in the same order. It is called before
// anything else.
func (w *Window) Restore(waiting []Waiting, messages []*message.Message) error {
	if len(waiting) != len(messages) {
		return fmt.Errorf("window: restore %d waiting items with %d messages", len(waiting), len(messages))
	}
	if slices.Contains(messages, nil) {
		return errors.New("window: restore: a message is nil")
	}
	all, entries := make([]fanout.Waiting, len(waiting)), make([]backend.Entry, len(waiting))
	for i, one := range waiting {
		all[i] = fanout.Waiting{Stamp: one.Position, Attempt: one.Attempt, Due: one.Due}
		entries[i] = backend.EntryOf(messages[i])
	}
	w.group.Restore(all, entries)
	return nil
}

// Add appends items in log order. It never blocks: see [Window.Room]. Nobody
// may change a message afterwards. After Close it does nothing.
func (w *Window) Add(items ...Item) error {
	stamps, entries := make([]int64, len(items)), make([]backend.Entry, len(items))
	for i, item := range items {
		if item.Message == nil {
			return fmt.Errorf("window: add: the message at position %d is nil", item.Position)
		}
		stamps[i], entries[i] = item.Position, backend.EntryOf(item.Message)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed && len(items) > 0 {
		w.topic.AppendStamped(stamps, entries)
	}
	return nil
}

// Room waits until fewer than n items are under way or not yet taken, those
// that queue behind others of their key aside. One goroutine calls it, the
// reader. Its error is that of ctx, or wraps [backend.ErrClosed].
func (w *Window) Room(ctx context.Context, n int) error {
	for w.open.Err() == nil && w.group.Ahead() >= int64(n) {
		select {
		case <-w.room:
		case <-w.open.Done():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if w.open.Err() != nil {
		return fmt.Errorf("window: room: %w", backend.ErrClosed)
	}
	return nil
}

// Consume is a member of the group, as [backend.Consumer] says, until ctx ends
// or the window is closed.
func (w *Window) Consume(ctx context.Context, c backend.Consumption) error {
	if err := c.Complete(); err != nil {
		return fmt.Errorf("window: consume: %w", err)
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return fmt.Errorf("window: consume %s: %w", c.Topic, backend.ErrClosed)
	}
	w.active.Add(1)
	w.mu.Unlock()
	defer w.active.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.open, cancel)()
	w.group.Consume(ctx, c)
	return nil
}

// Position says what is not finished. It may be asked after Close too, for what
// was finished by then.
func (w *Window) Position() Position {
	u := w.unfinished()
	p := Position{At: u.Open, Clear: u.Clear}
	for _, one := range u.Waiting {
		p.Waiting = append(p.Waiting, Waiting{Position: one.Stamp, Attempt: one.Attempt, Due: one.Due})
	}
	slices.SortFunc(p.Waiting, func(a, b Waiting) int { return cmp.Compare(a.Position, b.Position) })
	return p
}

// Low is the position of the first item that is not finished, whether it waits
// or not. If there is none, clear is set, and it is that of the item that was
// added last.
func (w *Window) Low() (at int64, clear bool) {
	u := w.unfinished()
	at, clear = u.Open, u.Clear
	for _, one := range u.Waiting {
		if clear || one.Stamp < at {
			at, clear = one.Stamp, false
		}
	}
	return at, clear
}

func (w *Window) unfinished() fanout.Unfinished {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.final != nil {
		return *w.final
	}
	return w.group.Unfinished()
}

// CatchUp waits until all that was added and restored is finished, or ctx ends.
// If the window is closed before, the error wraps [backend.ErrClosed].
func (w *Window) CatchUp(ctx context.Context) error {
	err := w.group.CatchUp(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fanout.ErrNoPosition):
		err = backend.ErrClosed // nobody else ends the group
	}
	return fmt.Errorf("window: catch up: %w", err)
}

// Lag is how many items are not finished; 0 after Close.
func (w *Window) Lag() int64 { return w.group.Lag() }

// Close ends the members: nothing more is handed out, and what their handlers
// have under way may finish until ctx ends. What is not finished then counts as
// unfinished, whatever becomes of it; the error is that of ctx. Closing again
// only waits.
func (w *Window) Close(ctx context.Context) error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		w.shut()
	}
	w.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		w.active.Wait()
		close(ended)
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.final == nil {
		u := w.group.Unfinished()
		w.final = &u
		w.topic.Close()
	}
	return err
}
