package main

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// printScrape prints what a scrape finds, without the buckets of histograms.
func printScrape(ctx context.Context, out io.Writer, url string) error {
	text, err := scrape(ctx, url)
	if err != nil {
		return err
	}
	series := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "target_info") {
			continue
		}
		series++
		if name, _, _ := strings.Cut(line, "{"); !strings.HasSuffix(name, "_bucket") {
			_, _ = io.WriteString(out, withoutScope(line))
		}
	}
	_, _ = fmt.Fprintf(out, "done       %d series\n", series)
	return nil
}

// withoutScope takes out the labels that say which library the metric is from.
func withoutScope(line string) string {
	name, rest, ok := strings.Cut(line, "{")
	labels, value, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return line
	}
	var kept []string
	for label := range strings.SplitSeq(labels, ",") {
		if !strings.HasPrefix(label, "otel_scope_") {
			kept = append(kept, label)
		}
	}
	return name + "{" + strings.Join(kept, ",") + "}" + value
}
