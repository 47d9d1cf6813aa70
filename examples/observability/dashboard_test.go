package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// dashboard is the part of Grafana's dashboard JSON that is looked at.
type dashboard struct {
	Inputs []struct {
		Name, Type, PluginID string
	} `json:"__inputs"`
	Title         string
	UID           string
	SchemaVersion int
	Panels        []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ H, W, X, Y int }
		Targets []struct {
			RefID, Expr, LegendFormat string
			Datasource                struct{ Type, UID string }
		}
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	raw, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(raw, &d))
	return d
}

// Grafana imports a file with a title, panels that do not lie on each other, and
// queries with a data source that it asks for.
func TestDashboardCanBeImported(t *testing.T) {
	d := readDashboard(t)
	require.NotEmpty(t, d.Title)
	require.NotEmpty(t, d.UID)
	require.LessOrEqual(t, len(d.UID), 40)
	require.Positive(t, d.SchemaVersion)
	require.Len(t, d.Inputs, 1)
	require.Equal(t, "datasource", d.Inputs[0].Type)
	require.Equal(t, "prometheus", d.Inputs[0].PluginID)
	ids, taken := map[int]bool{}, map[[2]int]int{}
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], "panel %d is there twice", p.ID)
		ids[p.ID] = true
		require.NotEmpty(t, p.Title)
		require.Positive(t, p.GridPos.H)
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Zero(t, taken[[2]int{x, y}], "panel %d lies on another", p.ID)
				taken[[2]int{x, y}] = p.ID
			}
		}
		if p.Type == "row" {
			continue
		}
		require.Contains(t, []string{"timeseries", "stat"}, p.Type)
		require.NotEmpty(t, p.Targets, p.Title)
		refs := map[string]bool{}
		for _, q := range p.Targets {
			require.False(t, refs[q.RefID], p.Title)
			refs[q.RefID] = true
			require.Equal(t, "prometheus", q.Datasource.Type)
			require.Equal(t, "${"+d.Inputs[0].Name+"}", q.Datasource.UID)
			require.Equal(t, strings.Count(q.Expr, "("), strings.Count(q.Expr, ")"), q.Expr)
			require.Equal(t, strings.Count(q.Expr, "{"), strings.Count(q.Expr, "}"), q.Expr)
		}
	}
}

var (
	metricName = regexp.MustCompile(`\b(?:notify|messaging)_[a-z_]+_?(?:total|bucket|count|sum)?\b`)
	grouping   = regexp.MustCompile(`by \(([^)]*)\)`)
	matcher    = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!=|=)\s*"`)
	shown      = regexp.MustCompile(`\{\{([a-z_]+)\}\}`)
)

// Every metric and label that the dashboard asks for is in what is scraped.
func TestDashboardAsksForWhatIsThere(t *testing.T) {
	labels := scraped(t)
	asked := map[string]bool{}
	for _, p := range readDashboard(t).Panels {
		for _, q := range p.Targets {
			var inMatchers []string
			for _, m := range matcher.FindAllStringSubmatch(q.Expr, -1) {
				inMatchers = append(inMatchers, m[1])
			}
			var by []string
			for _, g := range grouping.FindAllStringSubmatch(q.Expr, -1) {
				for label := range strings.SplitSeq(g[1], ",") {
					by = append(by, strings.TrimSpace(label))
				}
			}
			// What is left without groups and matchers is functions and metrics.
			bare := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(grouping.ReplaceAllString(q.Expr, ""), "")
			names := metricName.FindAllString(bare, -1)
			require.Len(t, names, 1, q.Expr)
			has, ok := labels[names[0]]
			require.True(t, ok, "%s: no metric %s", p.Title, names[0])
			asked[names[0]] = true
			for _, label := range append(inMatchers, by...) {
				require.True(t, has[label], "%s: %s has no label %s", p.Title, names[0], label)
			}
			for _, m := range shown.FindAllStringSubmatch(q.LegendFormat, -1) {
				require.Contains(t, by, m[1], "%s: the legend shows what is not grouped by", p.Title)
			}
		}
	}
	// What is not asked for is left out on purpose.
	for name := range labels {
		switch {
		case asked[name], strings.HasSuffix(name, "_sum"), strings.HasSuffix(name, "_in_flight"), name == "target_info":
		case strings.HasSuffix(name, "_count"), asked[strings.TrimSuffix(name, "_bucket")+"_count"]:
		default:
			require.Fail(t, "the dashboard does not show "+name)
		}
	}
}

// scraped has the labels of every metric of a shop that was busy for a while, by
// the names that queries use.
func scraped(t *testing.T) map[string]map[string]bool {
	t.Helper()
	o, err := openTelemetry(t.Context(), "")
	require.NoError(t, err)
	defer func() { require.NoError(t, o.shutdown()) }()
	p, err := serve("127.0.0.1:0", o.handler())
	require.NoError(t, err)
	defer func() { require.NoError(t, p.close()) }()
	s, err := open(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.close()) }()
	for n := range 60 {
		require.NoError(t, s.order(t.Context(), n))
	}
	require.NoError(t, s.settle(t.Context()))
	text, err := scrape(t.Context(), p.url)
	require.NoError(t, err)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err)
	all := map[string]map[string]bool{}
	for name, family := range families {
		names := []string{name}
		if family.GetType().String() == "HISTOGRAM" {
			names = []string{name + "_bucket", name + "_count", name + "_sum"}
		}
		for _, n := range names {
			all[n] = map[string]bool{}
			if strings.HasSuffix(n, "_bucket") {
				all[n]["le"] = true
			}
			for _, m := range family.GetMetric() {
				for _, l := range m.GetLabel() {
					all[n][l.GetName()] = true
				}
			}
		}
	}
	return all
}
