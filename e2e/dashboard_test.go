package e2e_test

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/stretchr/testify/require"
)

// The dashboard of examples/observability by Grafana's own schema: every field
// is known, and none is missing.
func TestDashboardByGrafanasSchema(t *testing.T) {
	raw, err := os.ReadFile("../examples/observability/dashboard.json")
	require.NoError(t, err)
	var file map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &file))
	// Of a file to import, not of the dashboard that becomes of it.
	delete(file, "__inputs")
	delete(file, "__requires")
	require.NoError(t, byGrafanasSchema(file))

	file["panel"] = json.RawMessage(`[]`)
	require.ErrorContains(t, byGrafanasSchema(file), "panel")
	delete(file, "panel")
	file["panels"] = json.RawMessage(`[{"type": "stat", "options": {}}]`)
	require.ErrorContains(t, byGrafanasSchema(file), "reduceOptions")
}

func byGrafanasSchema(file map[string]json.RawMessage) error {
	plugins.RegisterDefaultPlugins()
	raw, err := json.Marshal(file)
	if err != nil {
		return err
	}
	//lint:ignore SA1019 a file for Grafana 10 has the first schema
	var d dashboard.Dashboard
	err = d.UnmarshalJSONStrict(raw)
	// Without a problem it returns an empty list, which is not nil.
	var problems cog.BuildErrors
	if errors.As(err, &problems) && len(problems) == 0 {
		err = d.Validate()
	}
	return err
}
