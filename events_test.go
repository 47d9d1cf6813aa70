package notify

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

// An event that the table lacks would be refused at the first Emit, and one
// that it names otherwise than its struct would surprise whoever reads topics.
func TestEveryEventHasItsTypeOnTheWire(t *testing.T) {
	t.Parallel()
	written := declaredEvents(t)
	require.GreaterOrEqual(t, len(written), 33)

	want := map[string]string{}
	for name := range written {
		want["notify."+snakeCase(name)+".v1"] = name
	}
	got := map[string]string{}
	for name, kind := range builtinTypes(nil).byName {
		got[name] = kind.event.Name()
	}
	require.Equal(t, want, got)
	require.Len(t, builtinTypes(nil).byType, len(got), "a struct has two names")
}

// declaredEvents reads the files of the vocabulary: an event is a struct whose
// documentation says when it fires.
func declaredEvents(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("events*.go")
	require.NoError(t, err)
	events := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		require.NoError(t, err)
		maps.Copy(events, eventsOf(parsed))
	}
	return events
}

func eventsOf(file *ast.File) map[string]bool {
	events := map[string]bool{}
	for _, declared := range file.Decls {
		group, ok := declared.(*ast.GenDecl)
		if !ok || group.Tok != token.TYPE {
			continue
		}
		for _, spec := range group.Specs {
			spec := spec.(*ast.TypeSpec)
			doc := spec.Doc.Text() + group.Doc.Text()
			_, isStruct := spec.Type.(*ast.StructType)
			if isStruct && spec.Name.IsExported() && strings.HasPrefix(doc, spec.Name.Name+" fires") {
				events[spec.Name.Name] = true
			}
		}
	}
	return events
}

func TestFieldsOnTheWireAreExplicitSnakeCase(t *testing.T) {
	t.Parallel()
	for eventType := range builtinTypes(nil).byType {
		requireTags(t, eventType.Name(), eventType)
	}
}

func requireTags(t *testing.T, path string, eventType reflect.Type) {
	t.Helper()
	snake := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	for field := range eventType.Fields() {
		at := path + "." + field.Name
		require.True(t, field.IsExported(), at)
		tag, tagged := field.Tag.Lookup("json")
		if field.Anonymous {
			require.False(t, tagged, "%s is embedded, so its fields belong to the event itself", at)
		} else {
			name, _, _ := strings.Cut(tag, ",")
			require.Regexp(t, snake, name, at)
		}
		inner := field.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() && inner != reflect.TypeFor[Route]() {
			requireTags(t, at, inner)
		}
	}
}

func snakeCase(name string) string {
	var snake strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			snake.WriteByte('_')
		}
		snake.WriteRune(unicode.ToLower(r))
	}
	return snake.String()
}
