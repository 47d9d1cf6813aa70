package e2e_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// shakyTimeline is a store that fails now and then. Unsafe, it says that it has
// what it has not.
type shakyTimeline struct {
	timeline.Store
	trouble *trouble
	unsafe  bool
}

func (s shakyTimeline) Add(ctx context.Context, e notify.Event[any]) error {
	err := s.trouble.write(func() error { return s.Store.Add(ctx, e) })
	if s.unsafe {
		return nil
	}
	return err
}

// timelineSubject: every entry is what the record says, event by event.
func timelineSubject(t *trial, unsafe bool) subject {
	memory := timeline.NewMemory()
	store := func(p *process) timeline.Store {
		if file, ok := p.backend.(*sqlite.Backend); ok {
			return file.Timeline(p.Notifier)
		}
		return memory
	}
	return subject{
		observers: []string{"timeline"},
		attach: func(p *process) {
			p.Attach(timeline.New(shakyTimeline{store(p), t.trouble, unsafe}, func(c *timeline.Config) { t.trouble.observe(&c.Observer) }))
		},
		check: func(p *process, known truth) (wrong []string) {
			for _, one := range known.sent {
				entry, err := store(p).Get(context.Background(), one.id)
				if err != nil {
					wrong = append(wrong, fmt.Sprintf("%s: %v", one.fate, err))
					continue
				}
				if !reflect.DeepEqual(known.status[one.id], entry.Status) {
					wrong = append(wrong, fmt.Sprintf("%s: the status is %+v, not %+v", one.fate, entry.Status, known.status[one.id]))
				}
				want, got := ids(known.events[one.id]), ids(entry.Events)
				if problem := known.disorder(one.id, got); problem != "" {
					wrong = append(wrong, one.fate+": "+problem)
				}
				slices.Sort(want)
				slices.Sort(got)
				if !slices.Equal(want, got) {
					wrong = append(wrong, fmt.Sprintf("%s: %v, not %v", one.fate, got, want))
				}
			}
			return wrong
		},
	}
}

func ids(events []notify.Event[any]) (all []string) {
	for _, e := range events {
		all = append(all, e.ID)
	}
	return all
}
