package shop

import (
	"context"
	"strings"

	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// printTimeline prints what the timeline's store knows of every notification.
func printTimeline(ctx context.Context, screen *screen, store timeline.Store) error {
	page, err := store.List(ctx, timeline.Query{AllTenants: true})
	if err != nil {
		return err
	}
	var text strings.Builder
	for i := len(page.Entries) - 1; i >= 0; i-- { // the oldest first
		text.WriteString("\n")
		if _, err := page.Entries[i].WriteTo(&text); err != nil {
			return err
		}
	}
	screen.printf("\ntimeline%s", text.String())
	return nil
}
