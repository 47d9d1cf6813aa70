package notifytest

import (
	"context"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

func atomicChecks() []backendCheck {
	needs := []string{"Atomic", "Ordered", "Kept"}
	return []backendCheck{
		{name: "a commit does both or neither", needs: needs, check: checkCommit},
		{name: "who sees the message finds the record", needs: needs, check: checkCommitVisible},
		{name: "a commit takes local messages", needs: append(needs, "LocalPublisher"), check: checkCommitLocal},
	}
}

func (b *backendBench) commit(r backend.Record, out ...backend.Publication) error {
	r.Body = backend.Bytes(strconv.FormatInt(r.Revision+1, 10))
	revision, err := b.subject.(backend.Atomic).Commit(b.ctx, r, out)
	if err == nil && revision != r.Revision+1 {
		b.Errorf("Commit of revision %d returned revision %d", r.Revision, revision)
	}
	return err
}

func checkCommit(b *backendBench) {
	j := b.journal()
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(nil)})
	at := func(n int, at time.Time) backend.Publication {
		return backend.Publication{Topic: "t", Message: wire("k", n), At: at}
	}
	begun := time.Now()
	b.must(b.commit(backend.Record{ID: "id", Aliases: []string{"alias"}}, at(0, time.Time{}), at(1, time.Time{})), "Commit")
	b.mustBe(b.commit(backend.Record{ID: "id", Aliases: []string{"no"}}, at(77, time.Time{})), backend.ErrConflict, "Commit of a revision that is not the stored one")
	b.must(b.commit(backend.Record{ID: "id", Revision: 1}, at(2, begun), at(3, begun.Add(100*time.Millisecond))), "Commit")
	b.must(b.commit(backend.Record{ID: "id", Revision: 2}), "Commit of nothing to publish")
	j.complete("what was committed", 4)
	for _, g := range j.deliveries() {
		if g.n == 3 && g.at.Before(begun.Add(100*time.Millisecond)) {
			b.Fatalf("a delayed publication came before its time")
		}
	}
	b.holds("id", 3, "3")
	_, err := b.records().LoadAlias(b.ctx, "no")
	b.mustBe(err, backend.ErrNotFound, "LoadAlias of what a refused commit named")
	if r, err := b.records().LoadAlias(b.ctx, "alias"); err != nil || r.ID != "id" {
		b.Fatalf("LoadAlias of what a commit named: %v, %v", r.ID, err)
	}
}

func checkCommitVisible(b *backendBench) {
	const keys, each = 60, 4
	j := b.journal()
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "t", Group: "g", Concurrency: 4, Handle: j.handle(func(g got) error {
		r, err := b.records().Load(context.Background(), g.key)
		if err != nil || r.Revision < int64(g.n)+1 {
			j.complain("message %d of %s came before its record: revision %d, %v", g.n, g.key, r.Revision, err)
		}
		return nil
	})})
	for n := range each {
		for k := range keys {
			key := strconv.Itoa(k)
			b.must(b.commit(backend.Record{ID: key, Revision: int64(n)}, backend.Publication{Topic: "t", Message: wire(key, n)}), "Commit")
		}
	}
	j.complete("what was committed", keys*each)
}

func checkCommitLocal(b *backendBench) {
	j := b.journal()
	b.fix("t", "g", backend.FromOldest())
	b.consume(backend.Consumption{Topic: "t", Group: "g", Handle: j.handle(nil)})
	sent := local("k", 0)
	later := local("k", 1)
	b.must(b.commit(backend.Record{ID: "id"},
		backend.Publication{Topic: "t", Message: sent},
		backend.Publication{Topic: "t", Message: later, At: time.Now().Add(50 * time.Millisecond)},
	), "Commit")
	j.complete("local messages", 2)
	for i, m := range j.deliveries() {
		if m.message.Context() != sent.Context() && m.message.Context() != later.Context() {
			b.Fatalf("value %d is another than the one that was committed", i)
		}
	}
}
