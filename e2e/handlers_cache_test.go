package e2e_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cache"
)

// pages is a cache of what a page shows of each notification. A reader who finds
// nothing fills it, unless the key was invalidated since it began to read.
type pages struct {
	mu          sync.Mutex
	texts       map[string]string
	generations map[string]int
}

func (c *pages) forget(keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		delete(c.texts, key)
		c.generations[key]++
	}
}

func (c *pages) fill(key string, read func() (string, error)) {
	c.mu.Lock()
	_, found := c.texts[key]
	generation := c.generations[key]
	c.mu.Unlock()
	if found {
		return
	}
	text, err := read()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.generations[key] == generation {
		c.texts[key] = text
	}
}

// cacheSubject: once everything is handled, no page is older than the record,
// however often it was read meanwhile. Unsafe, the cache says that it
// forgot, and has not.
func cacheSubject(t *trial, unsafe bool) subject {
	shown := &pages{texts: map[string]string{}, generations: map[string]int{}}
	t.trouble.down, t.trouble.up = 10, 16 // a call is for many events
	page := func(s notify.Status) string { return fmt.Sprintf("%+v", s) }
	read := func(p *process, id string) {
		shown.fill(id, func() (string, error) {
			s, err := p.Status(p.ctx, id)
			return page(s), err
		})
	}
	var mu sync.Mutex
	seen := map[string]bool{} // notifications that the page lists
	return subject{
		observers: []string{"cache"},
		attach: func(p *process) {
			p.Attach(cache.New(cache.Func(func(_ context.Context, keys []string) error {
				if unsafe {
					return nil
				}
				return t.trouble.write(func() error { shown.forget(keys); return nil })
			}), func(c *cache.Config) {
				c.Rules = []cache.Rule{cache.Keys(func(e notify.Event[any]) []string {
					if e.NotificationID == "" {
						return nil
					}
					mu.Lock()
					seen[e.NotificationID] = true
					mu.Unlock()
					read(p, e.NotificationID) // somebody looks just now
					return []string{e.NotificationID}
				})}
				t.trouble.observe(&c.Observer)
			}))
		},
		beside: func(p *process) {
			mu.Lock()
			var now []string
			for id := range seen {
				now = append(now, id)
			}
			mu.Unlock()
			for _, id := range now {
				read(p, id)
			}
		},
		check: func(_ *process, known truth) (wrong []string) {
			shown.mu.Lock()
			defer shown.mu.Unlock()
			found := 0
			for _, one := range known.sent {
				text, ok := shown.texts[one.id]
				if ok {
					found++
				}
				if ok && text != page(known.status[one.id]) {
					wrong = append(wrong, fmt.Sprintf("%s: the page shows %s, not %s", one.fate, text, page(known.status[one.id])))
				}
			}
			if found == 0 {
				wrong = append(wrong, "nobody has read a page")
			}
			return wrong
		},
	}
}
