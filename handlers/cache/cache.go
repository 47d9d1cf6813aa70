// Package cache invalidates a cache: it maps events to keys, and has the cache
// forget them.
//
//	n.Attach(cache.New(redisCache, func(c *cache.Config) {
//		c.Rules = []cache.Rule{
//			cache.Keys(func(e notify.Event[notify.Delivered]) []string { return []string{"inbox:" + e.RecipientID} }),
//			cache.Keys(func(e notify.Event[notify.Settled]) []string { return []string{"status:" + e.NotificationID} }),
//		}
//	}))
//
// # What it promises
//
// The keys of every event that is raised after the observer is registered are
// invalidated at least once, after the event, and an event is done when its keys
// are. So the cache may be stale for as long as the observer is behind
// ([notify.Notifier.Handled] waits for it), and not for longer. Invalidating
// twice does no harm.
//
// # Bursts
//
// Events that are handled at about the same time share a call of the
// [Invalidator]: the first waits [Config.Window] for others, and each key is in
// the call once. The event that brings a call to [Config.MaxKeys] keys or more is its last, and
// all of its keys are in it. Keys wait nowhere else: it stores nothing but the observer's
// position. A call that fails fails all its events, which are retried as [notify.Retry] says, and
// are dead letters in the end; an observer that fails on everything pauses, and resumes by itself.
package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/internal/attach"
)

// Invalidator is a cache that can forget keys. It is called by several
// goroutines at once.
type Invalidator interface {
	// Invalidate makes the cache forget the keys, of which each is there once.
	// Keys that it does not have are no error. The context ends with the
	// observer's timeout.
	Invalidate(ctx context.Context, keys []string) error
}

// Func is a function as an [Invalidator].
type Func func(ctx context.Context, keys []string) error

// Invalidate implements [Invalidator].
func (f Func) Invalidate(ctx context.Context, keys []string) error { return f(ctx, keys) }

// Config is how a [Cache] observes and when it calls. The observer's Name is by
// default "cache", and its Concurrency 256, which bounds how many events share a
// call. It is ReplaySafe.
type Config struct {
	notify.Observer
	// Rules say which keys events are about, made by [Keys]. Required.
	Rules []Rule
	// Window is how long the first event waits for others to share its call, but
	// no longer than half of what is left of the observer's Timeout; default 5 ms,
	// negative is not at all.
	Window time.Duration
	// MaxKeys is how many keys end the wait; default 1,000.
	MaxKeys int
}

// Cache is an observer that invalidates keys.
type Cache struct {
	config Config
	burst  burst
}

var _ notify.Attacher = (*Cache)(nil)

// Rule says which keys an event is about: see [Keys].
type Rule struct {
	handler func(*Cache) notify.Handler // nil: there is no function
}

// Keys is a rule for events of a type, which is as for [notify.Handle]. keys must
// be safe for concurrent use; it may return none.
func Keys[T any](keys func(e notify.Event[T]) []string) Rule {
	if keys == nil {
		return Rule{}
	}
	return Rule{handler: func(c *Cache) notify.Handler {
		return notify.Handle(func(ctx context.Context, e notify.Event[T]) error {
			found := keys(e)
			if len(found) == 0 {
				return nil
			}
			return c.burst.invalidate(ctx, found)
		})
	}}
}

// New returns an observer for [notify.Notifier.Attach] that invalidates keys of
// the invalidator. Options change its [Config]. Two of one Notifier need two
// names.
func New(invalidator Invalidator, options ...func(*Config)) *Cache {
	c := &Cache{burst: burst{invalidator: invalidator}}
	c.config.Name, c.config.Concurrency = "cache", 256
	c.config.ReplaySafe = true
	for _, option := range options {
		option(&c.config)
	}
	c.burst.window, c.burst.most = c.config.Window, c.config.MaxKeys
	if c.burst.window == 0 {
		c.burst.window = 5 * time.Millisecond
	}
	if c.burst.most == 0 {
		c.burst.most = 1000
	}
	return c
}

// Attach implements [notify.Attacher].
func (c *Cache) Attach(n *notify.Notifier) error {
	var found attach.Problems
	found.WhenNil(c.burst.invalidator, "cache.New", "the invalidator is nil")
	found.When(len(c.config.Rules) == 0, "cache.Config.Rules", "needs a rule at least, made by cache.Keys")
	found.When(c.config.Window > time.Minute, "cache.Config.Window", "must be at most a minute")
	found.When(c.config.MaxKeys < 0, "cache.Config.MaxKeys", "must not be negative")
	own := notify.Observer{Name: "cache", Concurrency: 256}
	for i, rule := range c.config.Rules {
		if rule.handler == nil {
			found.When(true, fmt.Sprintf("cache.Config.Rules[%d]", i), "the function is nil")
			continue
		}
		own.Handlers = append(own.Handlers, rule.handler(c))
	}
	o := attach.Observer(c.config.Observer, own)
	if err := found.Err(); err != nil {
		return err
	}
	n.Observe(o)
	return nil
}
