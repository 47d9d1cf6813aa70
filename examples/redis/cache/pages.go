package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// pages show people what was sent to them, from Redis if that has it.
type pages struct {
	out   io.Writer
	redis *redis.Client
	view  timeline.Store
}

// inbox is the key of a recipient's page.
func inbox(recipient string) string { return "inbox:" + recipient }

// kept bounds for how long a page may be wrong that was filled from the view just
// before it changed, and written after Redis was told to forget it.
const kept = time.Minute

func (p pages) show(ctx context.Context, recipient string) error {
	page, err := p.redis.Get(ctx, inbox(recipient)).Result()
	from := "from Redis"
	if errors.Is(err, redis.Nil) {
		from = "made anew"
		if page, err = p.make(ctx, recipient); err == nil {
			err = p.redis.Set(ctx, inbox(recipient), page, kept).Err()
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "page    of %s, %s: %s\n", recipient, from, page)
	return err
}

func (p pages) make(ctx context.Context, recipient string) (string, error) {
	found, err := p.view.List(ctx, timeline.Query{RecipientID: recipient})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d notifications", len(found.Entries)), nil
}
