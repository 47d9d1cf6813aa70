package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/postgres"
)

// What there is of costs to delete is found by indexes, period by period and from
// the oldest entry on: nothing goes through what stays, for which others would
// wait.
func TestOldCostsAreFoundByAnIndex(t *testing.T) {
	t.Parallel()
	named := schema(t)
	_, _ = records(t, named).Load(context.Background(), "none") // so that the tables are there
	conn, name := connect(t), schemaOf(named)
	for _, statement := range []string{
		`insert into {s}.cost_sum select to_char(date '2025-01-01' + i % 300, 'YYYY-MM-DD'), false, 't' || i, '', '', '', '', '', '', '', 0, 1, 1, 1, 1, 1 from generate_series(1, 60000) i`,
		`insert into {s}.cost_sum select to_char(date '2025-01-01' + i % 300, 'YYYY-MM'), false, 't' || i, '', '', '', '', '', '', '', 0, 1, 1, 1, 1, 1 from generate_series(1, 40000) i`,
		`insert into {s}.cost_entry select 'e' || i, 'n' || i, '', '', '', '', '', '', '', '2025-01', '', now() - make_interval(secs => i), 1, 1, 0, 0, 1, '', 1, 'EUR', 1, now(), '' from generate_series(1, 100000) i`,
		`analyze {s}.cost_sum`, `analyze {s}.cost_entry`,
	} {
		_, err := conn.Exec(t.Context(), strings.ReplaceAll(statement, "{s}", name))
		require.NoError(t, err)
	}
	explain := func(id string, s postgres.Statement, how string) string {
		_, err := conn.Exec(t.Context(), "prepare "+id+" as "+strings.ReplaceAll(s.SQL, "{s}", name), pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err, s.Name)
		call := "execute " + id
		if s.Args != "" {
			call += " (" + s.Args + ")"
		}
		return lines(t, conn, "explain "+how+" "+call)
	}
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		_, err := conn.Exec(t.Context(), "set plan_cache_mode = "+mode)
		require.NoError(t, err)
		for i, s := range postgres.CostStatements() {
			plan := explain(fmt.Sprintf("c%d_%s", i, mode), s, "")
			require.NotContains(t, plan, "Seq Scan", "%s, %s", s.Name, mode)
			require.NotContains(t, plan, "Filter: (length(period)", "%s, %s", s.Name, mode)
			require.NotRegexp(t, `Filter: \(\(?at <`, plan, "%s, %s", s.Name, mode)
			require.Regexp(t, `Index|Tid Scan|Insert on`, plan, "%s, %s", s.Name, mode)
		}
	}
	// Each period is one look-up.
	plan := explain("counted", postgres.CostStatements()[0], "(analyze, timing off, summary off, costs off)")
	require.Regexp(t, `Index Only Scan using cost_sum_pkey on cost_sum s.*\(actual rows=1(\.00)? loops=310\)`, plan)
	// Controls: what was there before would be seen.
	require.Contains(t, explain("old", postgres.Statement{Name: "old", SQL: postgres.OldDeleteEntries, Args: "7776000, 10000, 10"}, ""), "Seq Scan on cost_entry")
	walk := "select ctid from {s}.cost_sum where length(period) = 10 and period = (select min(period) from {s}.cost_sum where length(period) = 10) limit 500"
	require.Contains(t, explain("walk", postgres.Statement{Name: "walk", SQL: walk}, ""), "Filter: (length(period)")
}
