package sqlite_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
