package logs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/logs"
)

// plain is a logger that writes JSON, without the time.
func plain(w *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// written returns what an event is written as.
func written(t *testing.T, e notify.Event[any], options ...func(*logs.Config)) string {
	t.Helper()
	var w bytes.Buffer
	require.NoError(t, logs.New(plain(&w), options...).Write(t.Context(), e))
	return w.String()
}

func TestRecords(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			got := written(t, about(s.name, s.data))
			want := `{"level":"` + s.level.String() + `","msg":"` + s.name + `",` + ofAll + `,` + s.want + `}`
			require.JSONEq(t, want, got)
			require.Equal(t, s.level, logs.Level(about(s.name, s.data)))
			require.NotContains(t, got, "CANARY")
		})
	}
}

func TestSamplesLackNoEvent(t *testing.T) {
	t.Parallel()
	types, err := os.ReadFile("../../codec_types.go")
	require.NoError(t, err)
	sampled := map[string]bool{}
	for _, s := range samples() {
		sampled[s.name] = true
	}
	found := regexp.MustCompile(`"notify\.([a-z_]+)\.v1":`).FindAllSubmatch(types, -1)
	require.NotEmpty(t, found)
	for _, name := range found {
		require.True(t, sampled[string(name[1])], "%s has no sample", name[1])
	}
}

// keeper is a slog.Handler that keeps records.
type keeper struct {
	level   slog.Level
	records []slog.Record
	err     error
}

func (k *keeper) Enabled(_ context.Context, l slog.Level) bool { return l >= k.level }
func (k *keeper) WithAttrs([]slog.Attr) slog.Handler           { return k }
func (k *keeper) WithGroup(string) slog.Handler                { return k }

func (k *keeper) Handle(_ context.Context, r slog.Record) error {
	k.records = append(k.records, r)
	return k.err
}

// What a handler may rely on: see testing/slogtest.
func TestAttributesAreWellFormed(t *testing.T) {
	t.Parallel()
	var k keeper
	l := logs.New(slog.New(&k), func(c *logs.Config) { c.Labels = []string{"order"} })
	for _, s := range samples() {
		require.NoError(t, l.Write(t.Context(), about(s.name, s.data)))
		// With all its fields zero, too.
		require.NoError(t, l.Write(t.Context(), notify.Event[any]{Data: reflect.Zero(reflect.TypeOf(s.data)).Interface()}))
	}
	require.Len(t, k.records, 2*len(samples()))
	snakeCase := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for _, r := range k.records {
		require.False(t, r.Time.IsZero())
		seen := map[string]bool{}
		var check func(prefix string, a slog.Attr)
		check = func(prefix string, a slog.Attr) {
			key := prefix + a.Key
			require.Regexp(t, snakeCase, a.Key)
			require.False(t, seen[key], "%s has %s twice", r.Message, key)
			seen[key] = true
			switch a.Value.Kind() {
			case slog.KindGroup:
				require.NotEmpty(t, a.Value.Group(), key)
				for _, inner := range a.Value.Group() {
					check(key+".", inner)
				}
			case slog.KindString:
				require.NotEmpty(t, a.Value.String(), key)
			case slog.KindTime:
				require.False(t, a.Value.Time().IsZero(), key)
			}
		}
		r.Attrs(func(a slog.Attr) bool { check("", a); return true })
	}
}

func TestHostsEventsKeepTheirDataToThemselves(t *testing.T) {
	t.Parallel()
	e := about("", struct{ Note string }{"CANARY"})
	e.Type = "shop.order_paid.v1"
	require.JSONEq(t, `{"level":"INFO","msg":"shop.order_paid.v1",`+ofAll+`}`, written(t, e))
	e.Data = notify.Raw(`{"note":"CANARY"}`)
	require.JSONEq(t, `{"level":"INFO","msg":"shop.order_paid.v1",`+ofAll+`}`, written(t, e))
}

func TestLabelsAreWrittenIfAskedFor(t *testing.T) {
	t.Parallel()
	got := written(t, about("read", notify.Read{}), func(c *logs.Config) { c.Labels = []string{"order", "missing"} })
	require.JSONEq(t, `{"level":"INFO","msg":"read",`+ofAll+`,"labels":{"order":"A-1017"}}`, got)
	got = written(t, about("read", notify.Read{}), func(c *logs.Config) { c.Labels = []string{"missing"} })
	require.NotContains(t, got, "labels")
}

func TestATraceParentThatIsNoneIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, parent := range []string{"", "00", "00-short-00f067aa0ba902b7-01", strings.Repeat("-", 55)} {
		e := about("read", notify.Read{})
		e.TraceParent = parent
		require.NotContains(t, written(t, e), "trace_id", parent)
	}
}

func TestLevelsCanBeOverridden(t *testing.T) {
	t.Parallel()
	k := keeper{level: slog.LevelInfo}
	l := logs.New(slog.New(&k), func(c *logs.Config) {
		c.Level = func(e notify.Event[any]) slog.Level {
			if _, ok := e.Data.(notify.Rendered); ok {
				return slog.LevelDebug
			}
			return logs.Level(e)
		}
	})
	for _, data := range []any{notify.Rendered{}, notify.Unknown{}, notify.Canceled{}} {
		require.NoError(t, l.Write(t.Context(), about("x", data)))
	}
	require.Len(t, k.records, 2, "what is not enabled is not written")
	require.Equal(t, slog.LevelWarn, k.records[0].Level)
	require.Equal(t, slog.LevelInfo, k.records[1].Level)
}

func TestTheLoggersOwnAttributesStay(t *testing.T) {
	t.Parallel()
	var w bytes.Buffer
	l := logs.New(plain(&w).With("service", "shop").WithGroup("notify"))
	require.NoError(t, l.Write(t.Context(), notify.Event[any]{Envelope: notify.Envelope{ID: "e_1", Type: "notify.canceled.v1"}, Data: notify.Canceled{}}))
	require.JSONEq(t, `{"level":"INFO","msg":"canceled","service":"shop","notify":{"event_id":"e_1"}}`, w.String())
}

func TestAHandlersErrorIsReturned(t *testing.T) {
	t.Parallel()
	k := keeper{err: errors.New("the disk is full")}
	require.ErrorIs(t, logs.New(slog.New(&k)).Write(t.Context(), about("read", notify.Read{})), k.err)
}
