package sqlite_test

import (
	"database/sql"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

var cuts = flag.Int("power.cuts", 60, "about how many moments of power loss to look at")

// files are the contents of a database's files.
type files map[string][]byte

// apply does the change; a write that is torn does only half of itself.
func (f files) apply(c change, torn bool) {
	data := f[c.file]
	switch c.kind {
	case "write":
		written := c.data
		if torn {
			written = written[:len(written)/2]
		}
		if end := int(c.at) + len(written); end > len(data) {
			data = append(data, make([]byte, end-len(data))...)
		}
		copy(data[c.at:], written)
		f[c.file] = data
	case "truncate":
		if int(c.at) < len(data) {
			f[c.file] = data[:c.at]
		}
	case "delete":
		delete(f, c.file)
	}
}

func (f files) clone() files {
	c := files{}
	for name, data := range f {
		c[name] = append([]byte(nil), data...)
	}
	return c
}

func (f files) write(t testing.TB, path string) {
	t.Helper()
	for name, data := range f {
		require.NoError(t, os.WriteFile(path+name, data, 0o600))
	}
}

// loss is a moment at which the power goes: what is on disk for sure, what was
// written since and may be there or not, and what had been acknowledged.
type loss struct {
	sure  files
	maybe []change
	acked map[string]bool
}

// losses goes through the log, to each change.
func losses(log []change, look func(i int, l *loss)) {
	l := &loss{sure: files{}, acked: map[string]bool{}}
	for i, c := range log {
		look(i, l)
		switch c.kind {
		case "ack":
			l.acked[c.file] = true
		case "sync", "directory":
			rest := l.maybe[:0]
			for _, m := range l.maybe {
				if m.file == c.file && m.kind != "delete" || m.kind == "delete" && c.kind == "directory" {
					l.sure.apply(m, false)
				} else {
					rest = append(rest, m)
				}
			}
			l.maybe = rest
		default:
			l.maybe = append(l.maybe, c)
		}
	}
}

// survivors are what the disk may hold: nothing of what was not synced, all of
// it, all but half of the last write, and two random parts with torn writes.
func (l *loss) survivors(random *rand.Rand) map[string]files {
	all, torn, some, other := l.sure.clone(), l.sure.clone(), l.sure.clone(), l.sure.clone()
	for i, c := range l.maybe {
		all.apply(c, false)
		torn.apply(c, i == len(l.maybe)-1)
		for _, f := range []files{some, other} {
			if random.IntN(3) > 0 {
				f.apply(c, random.IntN(8) == 0)
			}
		}
	}
	return map[string]files{"nothing": l.sure.clone(), "all": all, "torn": torn, "some": some, "other": other}
}

// work is what callers do at once: steps, and a consumer of which one key
// fails. A step is acknowledged by its name.
func work(t testing.TB, b *sqlite.Backend, steps int, acknowledge func(string)) {
	t.Helper()
	g := consume(t, b, "t", "g", func(uuid string, _ int) bool { return strings.HasSuffix(uuid, "7") })
	var callers sync.WaitGroup
	for c := range 4 {
		callers.Go(func() {
			for i := range steps / 4 {
				id := fmt.Sprintf("%d-%d", c, i)
				m := wire(strconv.Itoa(i%10), i)
				m.UUID = id
				later := wire("later", i)
				later.UUID = id
				_, err := b.Commit(t.Context(), backend.Record{ID: id, Body: backend.Bytes(strings.Repeat(id, 200)), Aliases: []string{"alias of " + id}},
					[]backend.Publication{{Topic: "t", Message: m}, {Topic: "later", Message: later, At: time.Now().Add(time.Hour)}})
				if err == nil {
					acknowledge(id)
				}
			}
		})
	}
	callers.Wait()
	g.leave()
}

// sound sees that the database is whole, and returns the steps in it, of each
// of which everything is there.
func sound(t testing.TB, file string) map[string]bool {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	var verdict string
	require.NoError(t, db.QueryRow("SELECT group_concat(integrity_check) FROM pragma_integrity_check").Scan(&verdict))
	require.Equal(t, "ok", verdict)
	var dangling int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM pragma_foreign_key_check").Scan(&dangling))
	require.Zero(t, dangling)
	column := func(query string) map[string]bool {
		t.Helper()
		found := map[string]bool{}
		rows, err := db.Query(query)
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var id string
			require.NoError(t, rows.Scan(&id))
			found[id] = true
		}
		require.NoError(t, rows.Err())
		return found
	}
	steps := column("SELECT id FROM records")
	require.Equal(t, steps, column("SELECT uuid FROM log WHERE topic = 't'"))
	require.Equal(t, steps, column("SELECT uuid FROM delayed"))
	require.Equal(t, steps, column("SELECT record FROM aliases"))
	var lost int
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM waiting w WHERE NOT EXISTS
		(SELECT 1 FROM messages m WHERE m.topic = w.topic AND m.position = w.position)`).Scan(&lost))
	require.Zero(t, lost)
	return steps
}

// Wherever the power goes, and whatever the disk made of what it was not told
// to keep: the file opens, and everything acknowledged is there, whole.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	file := path(t)
	d := newDisk(t, file)
	b := d.open(file, 40)
	_, err := b.Publisher()
	require.NoError(t, err)
	opened := len(d.changes())
	work(t, b, 400, d.acknowledge)
	require.NoError(t, b.Close())
	log := d.changes()
	moved := 0
	for _, c := range log {
		if c.kind == "sync" && c.file == "" {
			moved++
		}
	}
	require.Greater(t, moved, 5, "the log was moved into the database, in the middle")

	random := rand.New(rand.NewPCG(1, 2))
	moments, copies := 0, 0
	losses(log, func(i int, l *loss) {
		if raced && i%8 != 0 {
			return // SQLite in Go is twenty times slower then, and nothing here is concurrent
		}
		if i < opened { // while it was made: that can be gone on with
			for _, survivor := range l.survivors(random) {
				after := path(t)
				survivor.write(t, after)
				require.NoError(t, open(t, after).Close())
				require.Empty(t, sound(t, after))
				removeDatabase(t, after)
			}
			return
		}
		if random.IntN(len(log)-opened) >= *cuts {
			return
		}
		moments++
		for name, survivor := range l.survivors(random) {
			copies++
			after := path(t)
			survivor.write(t, after)
			if copies%20 == 0 { // as the program does; else by SQLite alone
				require.NoError(t, open(t, after).Close())
			}
			steps := sound(t, after)
			for id := range maps.Keys(l.acked) {
				require.Contains(t, steps, id, "%s of what was not synced before change %d", name, i)
			}
			removeDatabase(t, after)
		}
	})
	t.Logf("%d changes, %d moments, %d copies", len(log), moments, copies)

	// Without what the writer waits for, steps would be lost, but for those that
	// have been moved into the database just before.
	lost := false
	log = slices.DeleteFunc(log, func(c change) bool { return c.kind == "sync" && c.file == "-wal" })
	losses(log, func(i int, l *loss) {
		if i%(len(log)/20) == 0 && len(l.acked) > 0 {
			careless := path(t)
			l.sure.write(t, careless)
			lost = lost || count(careless) < len(l.acked)
			removeDatabase(t, careless)
		}
	})
	require.True(t, lost)
}

// count is how many records there are, if the database can be read.
func count(file string) (n int) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return 0
	}
	defer db.Close()
	_ = db.QueryRow("SELECT count(*) FROM records").Scan(&n)
	return n
}

func removeDatabase(t testing.TB, file string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		_ = os.Remove(file + suffix)
	}
}
