package main

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// A pointer leads to the field, whatever its name.
func TestPointers(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"Notification":          "#",
		"To.Addresses[email]":   "#/to/addresses/email",
		"NotBefore":             "#/not_before",
		"Content.ReplyTo":       "#/content/reply_to",
		"Route.First[0].All[1]": "#/route/first/0/all/1",
		"Data[a/b]":             "#/data/a~1b",
		"Data[~1]":              "#/data/~01",
		"Data[100% \"ä\"?#]":    "#/data/100%25%20%22%C3%A4%22%3F%23",
	} {
		require.Equal(t, want, pointer(field), field)
		_, err := url.Parse(want)
		require.NoError(t, err)
	}
}
