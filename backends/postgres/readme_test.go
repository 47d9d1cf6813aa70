package postgres_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/postgres"
)

func TestTheQueriesOfTheREADME(t *testing.T) {
	t.Parallel()
	named := schema(t)
	var c postgres.Config
	named(&c)
	publish(t, open(t, named), "t", of("k", 0))
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, queries, found := strings.Cut(string(readme), "```sql\n")
	require.True(t, found)
	queries, _, found = strings.Cut(queries, "```")
	require.True(t, found)
	conn := connect(t)
	ran := 0
	for query := range strings.SplitSeq(queries, ";\n") {
		query = strings.Replace(query, "search_path to notify", "search_path to "+c.Schema, 1)
		if strings.TrimSpace(query) == "" {
			continue
		}
		_, err := conn.Exec(t.Context(), query)
		require.NoError(t, err, query)
		ran++
	}
	require.Greater(t, ran, 6)
}
