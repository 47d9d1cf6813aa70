package memory_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

func TestRecordsKeepTheValueItself(t *testing.T) {
	t.Parallel()
	r := memory.NewRecords()
	body := &struct{ backend.Bytes }{backend.Bytes("body")}
	aliases := []string{"a"}
	revision, err := r.Store(t.Context(), backend.Record{ID: "id", Body: body, Aliases: aliases})
	require.NoError(t, err)
	require.EqualValues(t, 1, revision)
	aliases[0] = "changed"

	got, err := r.LoadAlias(t.Context(), "a")
	require.NoError(t, err)
	require.Same(t, body, got.Body)
	require.EqualValues(t, 1, got.Revision)
	got.Aliases[0] = "changed"
	again, err := r.Load(t.Context(), "id")
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, again.Aliases)
}

func TestRecordsRefuseBadIDs(t *testing.T) {
	t.Parallel()
	r := memory.NewRecords()
	_, err := r.Store(t.Context(), backend.Record{})
	require.ErrorContains(t, err, "ID is empty")
	_, err = r.Store(t.Context(), backend.Record{ID: strings.Repeat("x", 256)})
	require.ErrorContains(t, err, "256 bytes")
	_, err = r.Store(t.Context(), backend.Record{ID: strings.Repeat("x", 255)})
	require.NoError(t, err)
}

func TestRecordsEndWithTheContext(t *testing.T) {
	t.Parallel()
	r := memory.NewRecords()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Store(ctx, backend.Record{ID: "id"})
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.Load(t.Context(), "id")
	require.ErrorIs(t, err, backend.ErrNotFound)
}

func TestAliasesStayWithTheFirstHolder(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := memory.NewRecords()
	_, err := r.Store(ctx, backend.Record{ID: "first", Aliases: []string{"a", "b"}})
	require.NoError(t, err)
	_, err = r.Store(ctx, backend.Record{ID: "second", Aliases: []string{"b", "c", "c"}})
	require.NoError(t, err)
	_, err = r.Store(ctx, backend.Record{ID: "first", Revision: 1, Aliases: []string{"d"}})
	require.NoError(t, err)
	for alias, id := range map[string]string{"a": "first", "b": "first", "c": "second", "d": "first"} {
		got, err := r.LoadAlias(ctx, alias)
		require.NoError(t, err)
		require.Equal(t, id, got.ID, alias)
	}
	second, err := r.Load(ctx, "second")
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, second.Aliases)

	require.NoError(t, r.Delete(ctx, "first", 2))
	_, err = r.LoadAlias(ctx, "b")
	require.ErrorIs(t, err, backend.ErrNotFound)
	_, err = r.Store(ctx, backend.Record{ID: "second", Revision: 1, Aliases: []string{"b"}})
	require.NoError(t, err)
	got, err := r.LoadAlias(ctx, "b")
	require.NoError(t, err)
	require.Equal(t, "second", got.ID)
}

func TestCompareAndSetUnderContention(t *testing.T) {
	t.Parallel()
	r := memory.NewRecords()
	const workers, increments = 8, 200
	count := func(rec backend.Record) int {
		if rec.Body == nil {
			return 0
		}
		n, err := strconv.Atoi(string(rec.Body.(backend.Bytes)))
		require.NoError(t, err)
		return n
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range increments {
				for {
					rec, err := r.Load(t.Context(), "counter")
					if err != nil {
						rec = backend.Record{ID: "counter"}
					}
					rec.Body = backend.Bytes(strconv.Itoa(count(rec) + 1))
					if _, err = r.Store(t.Context(), rec); err == nil {
						break
					}
					if !errors.Is(err, backend.ErrConflict) {
						t.Errorf("got %v", err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	rec, err := r.Load(t.Context(), "counter")
	require.NoError(t, err)
	require.Equal(t, workers*increments, count(rec))
	require.EqualValues(t, workers*increments, rec.Revision)
}

func TestMaxRecordsRefusesNewOnes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := memory.NewRecords(func(c *memory.Config) { c.MaxRecords = 3 })
	for i := range 3 {
		_, err := r.Store(ctx, backend.Record{ID: strconv.Itoa(i), Due: time.Now(), Expires: time.Now().Add(time.Hour)})
		require.NoError(t, err)
	}
	_, err := r.Store(ctx, backend.Record{ID: "3"})
	require.ErrorIs(t, err, backend.ErrOverloaded)
	_, err = r.Store(ctx, backend.Record{ID: "0"})
	require.ErrorIs(t, err, backend.ErrConflict)
	_, err = r.Store(ctx, backend.Record{ID: "0", Revision: 1, Expires: time.Now().Add(-time.Second)})
	require.NoError(t, err, "old ones may change")
	_, err = r.Store(ctx, backend.Record{ID: "3"})
	require.NoError(t, err, "what has expired makes room")
	_, err = r.Load(ctx, "0")
	require.ErrorIs(t, err, backend.ErrNotFound)
	require.NoError(t, r.Delete(ctx, "1", 1))
	_, err = r.Store(ctx, backend.Record{ID: "4"})
	require.NoError(t, err)
}

func TestAtTheCapWhatWaitsForNothingGoes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const most = 100
	r := memory.NewRecords(func(c *memory.Config) { c.MaxRecords = most })
	settled, open := 0, 0
	for i := range 10 * most {
		rec := backend.Record{ID: strconv.Itoa(i), Expires: time.Now().Add(time.Hour)}
		if i < most/2 {
			rec.Due, rec.Expires = time.Now(), time.Now().Add(time.Minute) // sooner than the rest, as parked reports are
		}
		_, err := r.Store(ctx, rec)
		require.NoError(t, err, "record %d", i)
	}
	for i := range 10 * most {
		if _, err := r.Load(ctx, strconv.Itoa(i)); err != nil {
			require.ErrorIs(t, err, backend.ErrNotFound)
		} else if i < most/2 {
			open++
		} else {
			settled++
		}
	}
	require.Equal(t, most/2, open, "what waits for something stays")
	require.Positive(t, settled)
	require.LessOrEqual(t, settled, most/2)
}

// Against a plain map: whatever is written, Due, Expire and Delete say what
// the current times say.
func TestDueAndExpireAgreeWithAModel(t *testing.T) {
	t.Parallel()
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		r := memory.NewRecords()
		model := map[string]backend.Record{}
		when := rapid.Custom(func(rt *rapid.T) time.Time {
			n := rapid.IntRange(-1, 60).Draw(rt, "s")
			if n < 0 {
				return time.Time{}
			}
			return base.Add(time.Duration(n) * time.Second)
		})
		rt.Repeat(map[string]func(*rapid.T){
			"store": func(rt *rapid.T) {
				id := strconv.Itoa(rapid.IntRange(0, 30).Draw(rt, "id"))
				rec := backend.Record{ID: id, Revision: model[id].Revision, Due: when.Draw(rt, "due"), Expires: when.Draw(rt, "expires")}
				revision, err := r.Store(ctx, rec)
				require.NoError(rt, err)
				require.Equal(rt, rec.Revision+1, revision)
				rec.Revision = revision
				model[id] = rec
			},
			"delete": func(rt *rapid.T) {
				id := strconv.Itoa(rapid.IntRange(0, 30).Draw(rt, "id"))
				require.NoError(rt, r.Delete(ctx, id, model[id].Revision))
				delete(model, id)
			},
			"expire": func(rt *rapid.T) {
				now := when.Draw(rt, "now")
				want := 0
				for id, rec := range model {
					if !rec.Expires.IsZero() && rec.Expires.Before(now) {
						delete(model, id)
						want++
					}
				}
				got, err := r.Expire(ctx, now, 100)
				require.NoError(rt, err)
				require.Equal(rt, want, got)
			},
			"due": func(rt *rapid.T) {
				now, limit := when.Draw(rt, "now"), rapid.IntRange(0, 40).Draw(rt, "limit")
				var due []string
				var next time.Time
				for id, rec := range model {
					if !rec.Due.IsZero() && !rec.Due.After(now) {
						due = append(due, id)
					}
				}
				ids, at, err := r.Due(ctx, now, limit)
				require.NoError(rt, err)
				require.Len(rt, ids, min(limit, len(due)))
				for i, id := range ids {
					require.Contains(rt, due, id)
					require.True(rt, i == 0 || !model[id].Due.Before(model[ids[i-1]].Due), "the longest overdue first")
				}
				for id, rec := range model {
					if !rec.Due.IsZero() && !slices.Contains(ids, id) && (next.IsZero() || rec.Due.Before(next)) {
						next = rec.Due
					}
				}
				if next.IsZero() {
					return
				}
				require.False(rt, at.IsZero(), "something is due later")
				require.False(rt, at.After(next), "no other is due before next")
				if len(ids) > 0 && len(ids) == limit {
					require.False(rt, next.Before(model[ids[len(ids)-1]].Due))
				}
			},
			"": func(rt *rapid.T) {
				for i := range 31 {
					id := strconv.Itoa(i)
					got, err := r.Load(ctx, id)
					if want, ok := model[id]; ok {
						require.NoError(rt, err)
						require.Equal(rt, want, got)
					} else {
						require.ErrorIs(rt, err, backend.ErrNotFound)
					}
				}
			},
		})
	})
}

// A record is rewritten several times with changing times, and records come
// and go: what is kept to find them must stay as small as they are.
func TestTheScheduleStaysBounded(t *testing.T) {
	r := memory.NewRecords()
	ctx := t.Context()
	far := time.Now().Add(72 * time.Hour)
	churn := func(n int) {
		for i := range n {
			id := strconv.Itoa(i)
			rec := backend.Record{ID: id, Expires: far}
			for k := range 4 {
				rec.Due = far.Add(-time.Duration(k) * time.Minute) // earlier each time: the worst case
				revision, err := r.Store(ctx, rec)
				require.NoError(t, err)
				rec.Revision = revision
			}
			require.NoError(t, r.Delete(ctx, id, rec.Revision))
		}
	}
	churn(1000)
	before := heapInUse()
	churn(10_000)
	after := heapInUse()
	runtime.KeepAlive(r)
	require.Less(t, after, before+1<<20)
}

func TestLetters(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b := memory.New(func(c *memory.Config) { c.MaxDeadLetters = 5 })
	defer b.Close()
	var ids []string
	for n := range 7 {
		id, dropped, err := b.Bury(ctx, backend.DeadLetter{Group: "g" + strconv.Itoa(n%2), Topic: "t", Message: local("k", n), Attempts: n})
		require.NoError(t, err)
		require.Equal(t, n >= 5, dropped)
		ids = append(ids, id)
	}
	list := func(group, after string, limit int) (attempts []int) {
		found, err := b.Letters(ctx, group, after, limit)
		require.NoError(t, err)
		for _, d := range found {
			require.Equal(t, ids[d.Attempts], d.ID)
			require.Equal(t, fmt.Sprintf("k/%d", d.Attempts), d.Message.UUID, "in wire form")
			d.Message.UUID = "changed"
			attempts = append(attempts, d.Attempts)
		}
		return attempts
	}
	require.Equal(t, []int{2, 3, 4, 5, 6}, list("", "", 10))
	require.Equal(t, []int{2, 3}, list("", "", 2))
	require.Equal(t, []int{4, 5, 6}, list("", ids[3], 10))
	require.Equal(t, []int{3, 5}, list("g1", "", 10))
	require.NoError(t, b.Unbury(ctx, ids[4]))
	require.ErrorIs(t, b.Unbury(ctx, ids[4]), backend.ErrNotFound)
	require.ErrorIs(t, b.Unbury(ctx, "no such"), backend.ErrNotFound)
	require.Equal(t, []int{5, 6}, list("", ids[4], 10), "after one that is gone")
	require.Empty(t, list("", ids[6], 10))
	_, err := b.Letters(ctx, "", "no number", 1)
	require.EqualError(t, err, "memory: list dead letters: after is not the ID of a dead letter")
	_, _, err = b.Bury(ctx, backend.DeadLetter{Group: "g"})
	require.ErrorContains(t, err, "message is missing")
}
