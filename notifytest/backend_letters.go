package notifytest

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

func letterChecks() []backendCheck {
	return []backendCheck{
		{name: "dead letters", needs: []string{"DeadLetters"}, check: checkLetters},
		{name: "dead letters are counted", needs: []string{"DeadLetters", "DeadLetterCounter"}, check: checkLetterCounts},
		{name: "dead letters have a cap", needs: []string{"DeadLetters", "MaxDeadLetters"}, check: checkLetterCap},
	}
}

func (b *backendBench) letters() backend.DeadLetters { return b.subject.(backend.DeadLetters) }

// bury stores the n-th letter of a group.
func (b *backendBench) bury(group string, n int) (id string, dropped bool) {
	b.Helper()
	id, dropped, err := b.letters().Bury(b.ctx, backend.DeadLetter{
		Group: group, Topic: "t", Message: wire("k", n), Class: "error", Error: "it failed", Attempts: n + 1,
		At: time.Unix(1_700_000_000+int64(n), 0),
	})
	b.must(err, "Bury")
	if id == "" {
		b.Fatalf("Bury returned an empty ID")
	}
	return id, dropped
}

func checkLetters(b *backendBench) {
	var odd, all []string
	for n := range 7 {
		id, dropped := b.bury([]string{"even", "odd"}[n%2], n)
		if dropped {
			b.Fatalf("a letter was dropped after %d", n)
		}
		if slices.Contains(all, id) {
			b.Fatalf("two letters have the ID %q", id)
		}
		if all = append(all, id); n%2 == 1 {
			odd = append(odd, id)
		}
	}
	b.lists("", "", 100, all)
	b.lists("odd", "", 100, odd)
	b.lists("", "", 3, all[:3])
	b.lists("", all[2], 100, all[3:])
	b.lists("odd", odd[0], 1, odd[1:2])
	b.lists("nobody", "", 100, nil)
	b.lists("", all[6], 100, nil)

	found, err := b.letters().Letters(b.ctx, "odd", "", 1)
	b.must(err, "Letters")
	switch d := found[0]; {
	case d.Group != "odd" || d.Topic != "t" || d.Class != "error" || d.Error != "it failed" || d.Attempts != 2 ||
		!d.At.Equal(time.Unix(1_700_000_001, 0)):
		b.Fatalf("a letter was kept with other fields: %+v", d)
	case d.Message == nil || !d.Message.Equals(wire("k", 1)):
		b.Fatalf("a letter was kept with another message: %v", d.Message)
	}
	b.must(b.letters().Unbury(b.ctx, all[1]), "Unbury")
	b.mustBe(b.letters().Unbury(b.ctx, all[1]), backend.ErrNotFound, "Unbury of what is gone")
	b.mustBe(b.letters().Unbury(b.ctx, "nothing"), backend.ErrNotFound, "Unbury of what never was")
	b.lists("odd", "", 100, odd[1:])
	b.lists("", all[1], 100, all[2:]) // after one that is gone
}

// lists sees that Letters returns the letters with those IDs.
func (b *backendBench) lists(group, after string, limit int, want []string) {
	b.Helper()
	found, err := b.letters().Letters(b.ctx, group, after, limit)
	b.must(err, "Letters")
	var ids []string
	for _, d := range found {
		ids = append(ids, d.ID)
	}
	if !slices.Equal(ids, want) {
		b.Fatalf("Letters(%q, %q, %d) returned %v, not %v", group, after, limit, ids, want)
	}
}

func checkLetterCounts(b *backendBench) {
	counts := func(want map[string]int64) {
		b.Helper()
		got, err := b.subject.(backend.DeadLetterCounter).CountLetters(b.ctx)
		b.must(err, "CountLetters")
		if !maps.Equal(got, want) {
			b.Fatalf("CountLetters returned %v, not %v", got, want)
		}
	}
	counts(nil)
	var ids []string
	for n := range 7 {
		id, _ := b.bury([]string{"even", "odd"}[n%2], n)
		ids = append(ids, id)
	}
	counts(map[string]int64{"even": 4, "odd": 3})
	for _, id := range []string{ids[0], ids[1], ids[3], ids[5]} {
		b.must(b.letters().Unbury(b.ctx, id), "Unbury")
	}
	counts(map[string]int64{"even": 3})
}

func checkLetterCap(b *backendBench) {
	most := b.features.MaxDeadLetters
	var ids []string
	for n := range most + 1 {
		id, dropped := b.bury("g"+strconv.Itoa(n%2), n)
		ids = append(ids, id)
		if dropped != (n == most) {
			b.Fatalf("letter %d, with a cap of %d: dropped is %v", n+1, most, dropped)
		}
	}
	b.lists("", "", most+1, ids[1:])
}
