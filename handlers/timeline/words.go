package timeline

import (
	"slices"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
)

// words joins what is not empty.
func words(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), ", ")
}

func channels(list []notify.Channel) string {
	texts := make([]string, len(list))
	for i, c := range list {
		texts[i] = string(c)
	}
	return words(texts...)
}

func rejected(list []notify.Rejected) string {
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = "not " + string(r.Channel) + " (" + string(r.Reason) + ")"
	}
	return words(texts...)
}

func failure(f notify.Failure) string {
	text := strings.Join(slices.DeleteFunc([]string{string(f.Verdict), string(f.Class)}, func(s string) bool { return s == "" }), " ")
	return words(text, f.Code)
}

func when(how string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return how + " " + t.UTC().Format(time.RFC3339)
}

func machine(e notify.Engagement) string {
	if e.Machine {
		return "by a machine"
	}
	return ""
}
