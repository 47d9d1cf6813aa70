package postgres_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

const listed = 50_000

// list fills a timeline: all went over email, one in 5,000 over sms too, and each
// has an order and one of ten shops. Tenant says whose the i-th is.
func list(t *testing.T, conn *pgx.Conn, name, tenant string, analyzed bool) {
	t.Helper()
	vacuum := "vacuum"
	if analyzed {
		vacuum = "vacuum analyze"
	}
	for _, sql := range []string{
		`alter table {s}.timeline set (autovacuum_enabled = false)`, `alter table {s}.timeline_tag set (autovacuum_enabled = false)`,
		`insert into {s}.timeline (id, at, recipient, tenant, category, state, settled)
select 'n_' || i, timestamptz '2026-01-01Z' + make_interval(secs => i), 'u_' || i % 2000, ` + tenant + `, '', case when i % 5000 = 77 then 'failed' else 'sent' end, true
from generate_series(1, COUNT) i`,
		`insert into {s}.timeline_tag select 'channel', 'email', at, id from {s}.timeline`,
		`insert into {s}.timeline_tag select 'channel', 'sms', at, id from {s}.timeline where substr(id, 3)::integer % 5000 = 11`,
		`insert into {s}.timeline_tag select 'label.order', 'A-' || substr(id, 3), at, id from {s}.timeline`,
		`insert into {s}.timeline_tag select 'label.shop', 's_' || substr(id, 3)::integer % 10, at, id from {s}.timeline`,
		vacuum + ` {s}.timeline`, vacuum + ` {s}.timeline_tag`,
	} {
		_, err := conn.Exec(t.Context(), strings.NewReplacer("{s}", name, "COUNT", strconv.Itoa(listed)).Replace(sql))
		require.NoError(t, err)
	}
}

var buffers = regexp.MustCompile(`Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?`)

// pages is how many of the database's pages the query looks at, planned for its
// arguments.
func pages(t *testing.T, conn *pgx.Conn, name string, q timeline.Query, change ...string) (count int, plan string) {
	t.Helper()
	query, args, err := postgres.ListQuery(q)
	require.NoError(t, err)
	query = strings.NewReplacer(append(change, "{s}", name)...).Replace(query)
	var texts []string
	for _, arg := range args {
		switch arg := arg.(type) {
		case []string:
			texts = append(texts, "array['"+strings.Join(arg, "','")+"']")
		case time.Time:
			texts = append(texts, "'"+arg.Format(time.RFC3339Nano)+"'")
		default:
			texts = append(texts, fmt.Sprintf("'%v'", arg))
		}
	}
	for _, sql := range []string{"deallocate all", "set plan_cache_mode = force_custom_plan", "prepare listing as " + query} {
		_, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err, sql)
	}
	plan = lines(t, conn, "explain (analyze, buffers, timing off, costs off, summary off) execute listing ("+strings.Join(texts, ", ")+")")
	found := buffers.FindStringSubmatch(plan)
	require.NotNil(t, found, plan)
	for _, number := range found[1:] {
		n, _ := strconv.Atoi(number) // empty: none
		count += n
	}
	return count, plan
}

// A host without tenants asks for the one without a name, whose index has all: its
// lists cost what they would if the tenant were not looked at. The same holds for
// one that has most of its notifications from before it had tenants.
func TestListsOfTheTenantWithoutAName(t *testing.T) {
	t.Parallel()
	failed, sent := []notify.State{notify.StateFailed}, []notify.State{notify.StateSent}
	order, shop := map[string]string{"order": "A-9"}, map[string]string{"shop": "s_7"}
	at := time.Date(2026, 1, 1, 6, 0, 0, 0, time.UTC)
	everywhere := []timeline.Query{
		{},
		{After: timeline.Position{At: at, ID: "n_1"}.Cursor()},
		{From: at, Until: at.Add(time.Hour)},
		{Channel: "sms"},
		{Channel: "email"},
		{Channel: "push"},
		{Channel: "email", States: sent},
		{Labels: order},
		{Labels: shop},
		{Labels: shop, Channel: "sms"},
		{Labels: shop, Channel: "email"},
		{Labels: shop, From: at},
		{RecipientID: "u_7"},
		{RecipientID: "nobody"},
		{RecipientID: "u_7", States: failed},
		{RecipientID: "u_7", From: at},
		{RecipientID: "u_7", Channel: "sms"},
		{RecipientID: "u_7", Channel: "email"},
		{RecipientID: "u_7", Labels: shop},
	}
	analyzed := []timeline.Query{{States: failed}, {States: sent}, {Settled: new(false)}, {Channel: "email", States: failed}}
	for _, host := range []struct {
		name, tenant string
		analyzed     bool
		queries      []timeline.Query
	}{
		{"no tenants", "''", true, append(analyzed, everywhere...)},
		{"no tenants, and no statistics", "''", false, everywhere},
		{"many tenants", "case when i % 10 = 3 then 't_' || i else '' end", true, append(analyzed, everywhere...)},
	} {
		t.Run(host.name, func(t *testing.T) {
			t.Parallel()
			named := schema(t)
			_, _ = records(t, named).Load(t.Context(), "none") // so that the tables are there
			conn, name := connect(t), schemaOf(named)
			list(t, conn, name, host.tenant, host.analyzed)
			for _, q := range host.queries {
				got, plan := pages(t, conn, name, q)
				q.AllTenants = true
				want, before := pages(t, conn, name, q)
				require.LessOrEqual(t, got, want+want/3+5, "%+v\n%s\nand if it is not looked at:\n%s", q, plan, before)
			}
			// A control: it would be seen, if the planner took the index of the tenant too.
			if !host.analyzed {
				got, plan := pages(t, conn, name, timeline.Query{RecipientID: "u_7"}, "(t.tenant = $2) is true", "t.tenant = $2")
				require.Greater(t, got, 200, plan)
			}
		})
	}
}

// Of a tenant it is that one's index, also if there is none of it, and if the one
// without a name is a small one.
func TestListsOfATenant(t *testing.T) {
	t.Parallel()
	named := schema(t)
	_, _ = records(t, named).Load(t.Context(), "none") // so that the tables are there
	conn, name := connect(t), schemaOf(named)
	list(t, conn, name, "case when i < 100 then '' else 't_' || i % 500 end", true)
	for _, tenant := range []string{"", "t_7", "none"} {
		for _, q := range []timeline.Query{
			{},
			{States: []notify.State{notify.StateFailed}},
			{Channel: "sms"},
			{Channel: "email"},
			{RecipientID: "u_7"},
			{Labels: map[string]string{"order": "A-9"}},
		} {
			q.Tenant = tenant
			got, plan := pages(t, conn, name, q)
			require.Less(t, got, 1000, "%+v\n%s", q, plan)
		}
	}
}

// However often a list is read, its plan is for its arguments.
func TestListsArePlannedForTheirArguments(t *testing.T) {
	t.Parallel()
	named := schema(t)
	_, _ = records(t, named).Load(t.Context(), "none") // so that the tables are there
	list(t, connect(t), schemaOf(named), "''", true)
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	defer pool.Close()
	s := postgres.Records("", named, func(c *postgres.Config) { c.Pool = pool })
	defer func() { require.NoError(t, s.Close()) }()
	q := timeline.Query{RecipientID: "u_7", Channel: "email"}
	shared := func() (plans int) { // those for all arguments
		t.Helper()
		require.NoError(t, pool.QueryRow(t.Context(), "select coalesce(sum(generic_plans), 0) from pg_prepared_statements where statement like '%from %timeline t where%exists (select%' and statement not like '%pg_prepared%'").Scan(&plans))
		return plans
	}
	for range 8 {
		_, err := s.Timeline(codec(t)).List(t.Context(), q)
		require.NoError(t, err)
	}
	require.Zero(t, shared())
	// A control: the same, as the pool would have it.
	query, args, err := postgres.ListQuery(q)
	require.NoError(t, err)
	for range 8 {
		_, err := pool.Exec(t.Context(), strings.ReplaceAll(query, "{s}", schemaOf(named)), args...)
		require.NoError(t, err)
	}
	require.NotZero(t, shared())
}
