package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/seed-6c01d079/notify/backend"
)

// letters are the dead letters.
type letters struct {
	max int

	mu     sync.Mutex
	closed bool
	last   uint64
	all    []letter // by number
}

type letter struct {
	number uint64 // its ID is the number, as text
	backend.DeadLetter
}

func newLetters(c Config) *letters { return &letters{max: c.MaxDeadLetters} }

// Bury implements [backend.DeadLetters]. It keeps a copy of the message.
func (l *letters) Bury(ctx context.Context, d backend.DeadLetter) (id string, dropped bool, err error) {
	if d.Message == nil {
		err = errors.New("the message is missing")
	} else if d.Message, err = backend.Wire(d.Message); err == nil {
		d.Message = d.Message.Copy()
		err = ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		err = backend.ErrClosed
	}
	if err != nil {
		return "", false, fmt.Errorf("memory: bury a dead letter: %w", err)
	}
	l.last++
	d.ID = strconv.FormatUint(l.last, 10)
	if dropped = len(l.all) >= l.max; dropped {
		l.all = slices.Delete(l.all, 0, 1)
	}
	l.all = append(l.all, letter{l.last, d})
	return d.ID, dropped, nil
}

// Letters implements [backend.DeadLetters].
func (l *letters) Letters(ctx context.Context, group, after string, limit int) (found []backend.DeadLetter, err error) {
	var number uint64
	if after != "" {
		if number, err = strconv.ParseUint(after, 10, 64); err != nil {
			err = errors.New("after is not the ID of a dead letter")
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		err = backend.ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("memory: list dead letters: %w", err)
	}
	from, _ := l.find(number + 1)
	for _, d := range l.all[from:] {
		if len(found) >= limit {
			break
		}
		if group == "" || d.Group == group {
			d.Message = d.Message.Copy()
			found = append(found, d.DeadLetter)
		}
	}
	return found, nil
}

// CountLetters implements [backend.DeadLetterCounter].
func (l *letters) CountLetters(ctx context.Context) (map[string]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := ctx.Err()
	if l.closed {
		err = backend.ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("memory: count dead letters: %w", err)
	}
	counts := map[string]int64{}
	for i := range l.all {
		counts[l.all[i].Group]++
	}
	return counts, nil
}

// Unbury implements [backend.DeadLetters].
func (l *letters) Unbury(ctx context.Context, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("memory: unbury dead letter %q: %w", id, backend.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory: unbury dead letter %q: %w", id, err)
	}
	number, err := strconv.ParseUint(id, 10, 64)
	i, ok := l.find(number)
	if err != nil || !ok {
		return fmt.Errorf("memory: unbury dead letter %q: %w", id, backend.ErrNotFound)
	}
	l.all = slices.Delete(l.all, i, i+1)
	return nil
}

func (l *letters) find(number uint64) (int, bool) {
	return slices.BinarySearchFunc(l.all, number, func(d letter, n uint64) int { return cmp.Compare(d.number, n) })
}

func (l *letters) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed, l.all = true, nil
}
