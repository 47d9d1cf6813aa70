package postgres_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/postgres"
)

// populate adds endpoints, ten a tenant, with so many messages waiting for each. Of
// ten, one is disabled, one held, one has all its calls under way, and one nothing
// waits for; the others are ready since 2026-01-01, one a second.
func populate(t testing.TB, conn *pgx.Conn, name string, endpoints, messages int) {
	t.Helper()
	ctx := context.Background()
	_, err := conn.Exec(ctx, "set search_path to "+name)
	require.NoError(t, err)
	defer func() {
		_, err := conn.Exec(ctx, "reset search_path")
		require.NoError(t, err)
	}()
	for _, sql := range []string{
		`insert into webhook_endpoint (id, tenant, url, secrets, types, ordered, concurrency, pending, disabled, held)
select 'ep_' || to_char(i, 'fm00000'), 'tenant_' || i / 10, 'https://example.com/' || i,
  array['whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE='], array['notify.sent.v1'], i % 2 = 0, 4, case when i % 10 = 4 then 0 else MESSAGES end,
  case when i % 10 = 1 then 'host' else '' end, case when i % 10 = 2 then timestamptz '2100-01-01' end
from generate_series(0, ENDPOINTS - 1) i`,
		`insert into webhook_message (id, type, tenant, at, bytes, body)
select 'm_' || t || '_' || k, 'notify.sent.v1', 'tenant_' || t, timestamptz '2026-01-01Z' + make_interval(secs => k), 300, convert_to(repeat('x', 300), 'UTF8')
from generate_series(0, MESSAGES - 1) k, generate_series(0, ENDPOINTS / 10 - 1) t`,
		`insert into webhook_delivery (endpoint, number, due, token)
select e.id, m.number, case when e.id like '%3' and m.at = '2026-01-01Z' then '2100-01-01' else m.at end, case when e.id like '%3' and m.at = '2026-01-01Z' then 1 end
from webhook_message m join webhook_endpoint e on e.tenant = m.tenant where e.id not like '%4'`,
		`insert into suppression select 'tenant_' || i % 50, 'email', case when i % 3 > 0 then 'r_' || i else '' end, case when i % 3 = 0 then 'h_' || i else '' end,
  '', 'host', i % 7 = 0, now(), '' from generate_series(1, ENDPOINTS * 10) i`,
		`insert into webhook_attempt select id, n, n, 'm', 't', 1, now(), 1, 200, '', null from webhook_endpoint, generate_series(1, 10) n`,
	} {
		_, err := conn.Exec(ctx, strings.NewReplacer("ENDPOINTS", strconv.Itoa(endpoints), "MESSAGES", strconv.Itoa(messages)).Replace(sql))
		require.NoError(t, err)
	}
}

func ready(t testing.TB, conn *pgx.Conn, name string) {
	t.Helper()
	ctx := context.Background()
	for _, s := range postgres.Statements() {
		if s.Name == "touch" {
			_, err := conn.Exec(ctx, strings.NewReplacer("{s}", name, "$1", "array(select id from "+name+".webhook_endpoint)").Replace(s.SQL))
			require.NoError(t, err)
		}
	}
	for _, table := range []string{"webhook_endpoint", "webhook_delivery", "webhook_message", "webhook_attempt", "suppression"} {
		_, err := conn.Exec(ctx, "vacuum analyze "+name+"."+table)
		require.NoError(t, err)
	}
}

// made returns a schema that is filled, and a connection.
func made(t testing.TB, endpoints, messages int) (named func(*postgres.Config), conn *pgx.Conn) {
	t.Helper()
	named = schema(t)
	_, _ = records(t, named).Load(context.Background(), "none") // so that the tables are there
	conn = connect(t)
	populate(t, conn, schemaOf(named), endpoints, messages)
	ready(t, conn, schemaOf(named))
	return named, conn
}

func lines(t testing.TB, conn *pgx.Conn, sql string) string {
	t.Helper()
	rows, err := conn.Query(context.Background(), sql, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err, sql)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err, sql)
	return strings.Join(all, "\n")
}

var scan = regexp.MustCompile(`Seq Scan on (webhook|suppression)\w*`)

// With plans for these arguments, and with those that the server makes for all.
func TestHandlersUseIndexes(t *testing.T) {
	t.Parallel()
	named, conn := made(t, 2000, 20)
	name := schemaOf(named)
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		_, err := conn.Exec(t.Context(), "set plan_cache_mode = "+mode)
		require.NoError(t, err)
		for i, s := range postgres.Statements() {
			statement := fmt.Sprintf("q%d_%s", i, mode)
			_, err := conn.Exec(t.Context(), "prepare "+statement+" as "+strings.ReplaceAll(s.SQL, "{s}", name), pgx.QueryExecModeSimpleProtocol)
			require.NoError(t, err, s.Name)
			plan := lines(t, conn, "explain execute "+statement+" ("+s.Args+")")
			require.NotRegexp(t, scan, plan, "%s, %s", s.Name, mode)
			if s.Name != "note an attempt" { // which sorts nothing
				require.Regexp(t, `Index|Tid Scan|Insert on`, plan, "%s, %s", s.Name, mode)
			}
		}
	}
	// And without the index it is seen.
	_, err := conn.Exec(t.Context(), "drop index "+name+".webhook_endpoint_ready")
	require.NoError(t, err)
	require.Regexp(t, scan, lines(t, conn, "explain execute q0_force_generic_plan (1)"))
}

// What is disabled, held or full is not even looked at.
func TestAClaimLooksAtWhatIsReadyOnly(t *testing.T) {
	t.Parallel()
	named, conn := made(t, 1000, 3)
	var waiting, claimable int
	require.NoError(t, conn.QueryRow(t.Context(), "select count(*), count(*) filter (where ready <= '2026-06-01') from "+schemaOf(named)+".webhook_endpoint where pending > 0").Scan(&waiting, &claimable))
	require.Equal(t, 900, waiting)
	require.Equal(t, 600, claimable)
	sql := strings.NewReplacer("{s}", schemaOf(named), "$1", "1", "$2", "'2026-06-01'", "$3", "5000").Replace(postgres.Statements()[1].SQL)
	_, err := conn.Exec(t.Context(), "set enable_seqscan = off") // which it is for so many of so few
	require.NoError(t, err)
	plan := lines(t, conn, "explain (analyze, timing off, summary off, costs off) "+sql)
	require.Regexp(t, `Index Scan (using|on) webhook_endpoint_ready .*\(actual rows=600(\.00)? loops=1\)`, plan)
	require.NotContains(t, plan, "Rows Removed")
}
