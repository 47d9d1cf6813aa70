package notifytest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

func recordChecks() []backendCheck {
	needs := []string{"Records"}
	return []backendCheck{
		{name: "records are kept as written", needs: needs, check: checkRecordsKept},
		{name: "records change by compare-and-set", needs: needs, check: checkRevisions},
		{name: "one of many writers wins", needs: needs, check: checkContention},
		{name: "aliases stay with their first holder", needs: needs, check: checkAliases},
		{name: "records that are due", needs: needs, check: checkDue},
		{name: "records expire", needs: needs, check: checkExpire},
		{name: "records can be deleted", needs: needs, check: checkDelete},
		{name: "records have a cap", needs: []string{"Records", "MaxRecords"}, check: checkRecordCap},
	}
}

func (b *backendBench) records() backend.Records { return b.subject.(backend.Records) }

// store stores a record that must be taken, and returns its new revision.
func (b *backendBench) store(r backend.Record) int64 {
	b.Helper()
	if r.Body == nil {
		r.Body = backend.Bytes("body of " + r.ID)
	}
	revision, err := b.records().Store(b.ctx, r)
	b.must(err, "Store")
	if revision != r.Revision+1 {
		b.Fatalf("Store of revision %d returned revision %d", r.Revision, revision)
	}
	return revision
}

// holds sees that the record exists with the revision and body.
func (b *backendBench) holds(id string, revision int64, body string) backend.Record {
	b.Helper()
	r, err := b.records().Load(b.ctx, id)
	b.must(err, "Load")
	if r.ID != id || r.Revision != revision {
		b.Fatalf("Load(%q) returned %q of revision %d, not %d", id, r.ID, r.Revision, revision)
	}
	b.hasBody(r, body)
	return r
}

func (b *backendBench) hasBody(r backend.Record, body string) {
	b.Helper()
	if r.Body == nil {
		b.Fatalf("record %q has no body", r.ID)
	}
	data, err := r.Body.AppendBinary([]byte("before "))
	b.must(err, "AppendBinary")
	if !bytes.Equal(data, []byte("before "+body)) {
		b.Fatalf("record %q has the body %q, not %q", r.ID, data[min(7, len(data)):], body)
	}
}

func (b *backendBench) loses(id string) {
	b.Helper()
	_, err := b.records().Load(b.ctx, id)
	b.mustBe(err, backend.ErrNotFound, "Load of what does not exist")
}

func checkRecordsKept(b *backendBench) {
	b.loses("id")
	_, err := b.records().LoadAlias(b.ctx, "alias")
	b.mustBe(err, backend.ErrNotFound, "LoadAlias of what does not exist")
	due := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	body := "\x00\xff\xfe binary and 世界"
	long := strings.Repeat("x", 255)
	b.store(backend.Record{ID: long, Body: backend.Bytes(body), Aliases: []string{"a", "b/c d"}, Due: due, Expires: due.Add(time.Hour)})
	for _, load := range []func() (backend.Record, error){
		func() (backend.Record, error) { return b.records().Load(b.ctx, long) },
		func() (backend.Record, error) { return b.records().LoadAlias(b.ctx, "b/c d") },
	} {
		r, err := load()
		b.must(err, "Load")
		b.hasBody(r, body)
		slices.Sort(r.Aliases)
		if r.ID != long || r.Revision != 1 || !slices.Equal(r.Aliases, []string{"a", "b/c d"}) || !r.Due.Equal(due) || !r.Expires.Equal(due.Add(time.Hour)) {
			b.Fatalf("a record was loaded with other fields than it was stored with: %+v", r)
		}
	}
	b.store(backend.Record{ID: long, Revision: 1, Body: backend.Bytes("second")})
	r := b.holds(long, 2, "second")
	if len(r.Aliases) != 2 || !r.Due.IsZero() || !r.Expires.IsZero() {
		b.Fatalf("a change without aliases and times left %+v", r)
	}
	for _, id := range []string{"", long + "x"} {
		if _, err := b.records().Store(b.ctx, backend.Record{ID: id, Body: backend.Bytes("b")}); err == nil {
			b.Fatalf("Store took an ID of %d bytes", len(id))
		}
	}
}

func checkRevisions(b *backendBench) {
	b.store(backend.Record{ID: "id", Body: backend.Bytes("one")})
	b.store(backend.Record{ID: "id", Revision: 1, Body: backend.Bytes("two")})
	for _, wrong := range []int64{0, 1, 3} {
		_, err := b.records().Store(b.ctx, backend.Record{ID: "id", Revision: wrong, Body: backend.Bytes("wrong"), Aliases: []string{"wrong"}})
		b.mustBe(err, backend.ErrConflict, fmt.Sprintf("Store of revision %d over 2", wrong))
	}
	_, err := b.records().Store(b.ctx, backend.Record{ID: "new", Revision: 1, Body: backend.Bytes("wrong"), Aliases: []string{"wrong"}})
	b.mustBe(err, backend.ErrConflict, "Store of revision 1 where there is none")
	b.holds("id", 2, "two")
	b.loses("new")
	_, err = b.records().LoadAlias(b.ctx, "wrong")
	b.mustBe(err, backend.ErrNotFound, "LoadAlias of what a refused write named")
}

func checkContention(b *backendBench) {
	const writers, increments = 6, 30
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range increments {
				if !b.increment() {
					return
				}
			}
		})
	}
	wg.Wait()
	b.holds("counter", writers*increments, strconv.Itoa(writers*increments))
}

// increment adds one to the record "counter", whose body is a number.
func (b *backendBench) increment() bool {
	for range 10_000 {
		r, err := b.records().Load(b.ctx, "counter")
		n := 0
		switch {
		case err == nil:
			data, _ := r.Body.AppendBinary(nil)
			n, _ = strconv.Atoi(string(data))
		case !errors.Is(err, backend.ErrNotFound):
			b.Errorf("Load: %v", err)
			return false
		}
		r.ID, r.Body = "counter", backend.Bytes(strconv.Itoa(n+1))
		if _, err = b.records().Store(b.ctx, r); err == nil {
			return true
		}
		if !errors.Is(err, backend.ErrConflict) {
			b.Errorf("Store under contention: %v", err)
			return false
		}
	}
	b.Errorf("Store reported a conflict for ever")
	return false
}

func checkAliases(b *backendBench) {
	b.store(backend.Record{ID: "first", Aliases: []string{"a", "b"}})
	b.store(backend.Record{ID: "second", Aliases: []string{"b", "c", "c"}})
	b.store(backend.Record{ID: "first", Revision: 1, Aliases: []string{"d"}})
	held := func(by map[string]string) {
		b.Helper()
		for alias, id := range by {
			r, err := b.records().LoadAlias(b.ctx, alias)
			b.must(err, "LoadAlias")
			if r.ID != id {
				b.Fatalf("the alias %q is held by %q, not %q", alias, r.ID, id)
			}
		}
	}
	held(map[string]string{"a": "first", "b": "first", "c": "second", "d": "first"})
	b.must(b.records().Delete(b.ctx, "first", 2), "Delete")
	_, err := b.records().LoadAlias(b.ctx, "b")
	b.mustBe(err, backend.ErrNotFound, "LoadAlias of a deleted record's")
	b.store(backend.Record{ID: "second", Revision: 1, Aliases: []string{"b"}})
	held(map[string]string{"b": "second", "c": "second"})
}

func checkDue(b *backendBench) {
	now := time.Now().Truncate(time.Millisecond)
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	for id, due := range map[string]time.Time{"b": at(-20), "a": at(-30), "c": at(-10), "e": at(50), "d": at(40), "never": {}} {
		b.store(backend.Record{ID: id, Due: due})
	}
	look := func(limit int, at time.Time, want ...string) time.Time {
		b.Helper()
		ids, next, err := b.records().Due(b.ctx, at, limit)
		b.must(err, "Due")
		if !slices.Equal(ids, want) {
			b.Fatalf("Due returned %v, not %v", ids, want)
		}
		return next
	}
	is := func(next, want time.Time) {
		b.Helper()
		if !next.Equal(want) {
			b.Fatalf("Due says that the next record is due %v from now, not %v", next.Sub(now), want.Sub(now))
		}
	}
	is(look(10, now, "a", "b", "c"), at(40))
	is(look(2, now, "a", "b"), at(-10))
	is(look(10, at(45), "a", "b", "c", "d"), at(50))
	b.store(backend.Record{ID: "a", Revision: 1, Due: at(5)})
	b.store(backend.Record{ID: "b", Revision: 1})
	b.must(b.records().Delete(b.ctx, "c", 1), "Delete")
	is(look(10, now), at(5))
	look(10, at(60), "a", "d", "e")
	is(look(0, now), at(5))
}

func checkExpire(b *backendBench) {
	now := time.Now().Truncate(time.Millisecond)
	for i := range 5 {
		b.store(backend.Record{ID: strconv.Itoa(i), Aliases: []string{"alias-" + strconv.Itoa(i)}, Expires: now.Add(-time.Duration(i+1) * time.Minute), Due: now})
	}
	b.store(backend.Record{ID: "later", Expires: now.Add(time.Minute)})
	b.store(backend.Record{ID: "never"})
	b.store(backend.Record{ID: "0", Revision: 1, Expires: now.Add(time.Minute)}) // changed its mind
	total := 0
	for _, limit := range []int{3, 100, 100} {
		n, err := b.records().Expire(b.ctx, now, limit)
		b.must(err, "Expire")
		if n > limit {
			b.Fatalf("Expire deleted %d records, with a limit of %d", n, limit)
		}
		total += n
	}
	if total != 4 {
		b.Fatalf("Expire deleted %d records, and 4 had expired", total)
	}
	for _, id := range []string{"later", "never"} {
		b.holds(id, 1, "body of "+id)
	}
	b.holds("0", 2, "body of 0")
	b.loses("1")
	_, err := b.records().LoadAlias(b.ctx, "alias-1")
	b.mustBe(err, backend.ErrNotFound, "LoadAlias of an expired record's")
	if ids, _, err := b.records().Due(b.ctx, now, 10); err != nil || len(ids) > 0 {
		b.Fatalf("Due returned %v, %v though those have expired", ids, err)
	}
	b.store(backend.Record{ID: "1"}) // begins anew
}

func checkDelete(b *backendBench) {
	b.must(b.records().Delete(b.ctx, "nobody", 3), "Delete of what does not exist")
	b.store(backend.Record{ID: "id"})
	b.mustBe(b.records().Delete(b.ctx, "id", 2), backend.ErrConflict, "Delete of another revision")
	b.holds("id", 1, "body of id")
	b.must(b.records().Delete(b.ctx, "id", 1), "Delete")
	b.loses("id")
	b.store(backend.Record{ID: "id", Body: backend.Bytes("again")})
	b.holds("id", 1, "again")
}

func checkRecordCap(b *backendBench) {
	for i := range b.features.MaxRecords {
		b.store(backend.Record{ID: strconv.Itoa(i)})
	}
	_, err := b.records().Store(b.ctx, backend.Record{ID: "one more", Body: backend.Bytes("b")})
	b.mustBe(err, backend.ErrOverloaded, "Store beyond the cap")
	b.store(backend.Record{ID: "0", Revision: 1})
	b.must(b.records().Delete(b.ctx, "1", 1), "Delete")
	b.store(backend.Record{ID: "one more"})
}
