package sqlite_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README names every table with its columns, and nothing else.
func TestReadmeTables(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	described := map[string]map[string]bool{}
	_, section, _ := strings.Cut(string(readme), "\n## The tables\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, line := range strings.Split(section, "\n") {
		if cells := strings.Split(line, "|"); len(cells) == 4 && strings.Contains(cells[1], "`") {
			table := strings.Split(cells[1], "`")[1]
			described[table] = map[string]bool{}
			for i, name := range strings.Split(cells[2], "`") {
				if i%2 == 1 {
					described[table][name] = true
				}
			}
		}
	}
	file := path(t)
	open(t, file)
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.Query(`SELECT s.name, c.name FROM sqlite_schema s, pragma_table_xinfo(s.name) c
		WHERE s.type IN ('table', 'view') AND s.name NOT LIKE 'sqlite_%'`)
	require.NoError(t, err)
	defer rows.Close()
	there := map[string]bool{}
	for rows.Next() {
		var table, column string
		require.NoError(t, rows.Scan(&table, &column))
		require.True(t, described[table][column], "the README has nothing about %s.%s", table, column)
		delete(described[table], column)
		there[table] = true
	}
	require.NoError(t, rows.Err())
	for table, rest := range described {
		require.True(t, there[table], "there is no table %s", table)
		for name := range rest { // a table that is referred to
			require.Contains(t, described, name, "%s has no column %s", table, name)
		}
	}
}

// The queries of the README run.
func TestReadmeQueries(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	file := path(t)
	publish(t, open(t, file), "notify.events", "k", 0, 3)
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	blocks := strings.Split(string(readme), "```sql\n")[1:]
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		query, _, _ := strings.Cut(block, "```")
		rows, err := db.Query(query)
		require.NoError(t, err, query)
		for rows.Next() {
		}
		require.NoError(t, rows.Err(), query)
		require.NoError(t, rows.Close())
	}
}
