package postgres

// OldDeleteEntries is what deleteEntries was, as a control.
const OldDeleteEntries = `
with gone as (
  delete from {s}.cost_entry where id in (
    select id from {s}.cost_entry where at < clock_timestamp() - make_interval(secs => $1) order by at limit $2
  ) or id in (select id from {s}.cost_entry order by at limit $3) returning at
) select count(*), max(at) from gone`

// CostStatements are those that look for costs to delete, and that look whether
// sums were.
func CostStatements() []Statement {
	all := []Statement{
		{"periods", costPeriods, ""},
		{"dropped", droppedPeriods, ""},
		{"delete sums", deleteSums, "'2026-05', 500"},
		{"delete entries", deleteEntries, "7776000, 10000, 10"},
	}
	for _, statement := range markDropped {
		all = append(all, Statement{"mark", statement, "'2026-05'"})
	}
	return all
}
