package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/backends/postgres/postgrestest"
)

var (
	// server is nil if there is another one, by dsn, or none.
	server  *postgrestest.Server
	dsn     string
	missing error
)

func TestMain(m *testing.M) {
	if named := os.Getenv("NOTIFY_TEST_CHILD"); named != "" {
		child(named)
		return
	}
	if dsn = os.Getenv("NOTIFY_TEST_POSTGRES"); dsn == "" {
		var err error
		many := func(c *postgrestest.Config) { c.Options = []string{"max_connections=1000"} }
		if server, err = postgrestest.Start(many); errors.Is(err, postgrestest.ErrMissing) {
			missing = err
		} else if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		} else {
			dsn = server.DSN()
		}
	}
	if os.Getenv("STRESS_TEST_COUNT") == "" {
		_ = os.Setenv("STRESS_TEST_COUNT", "1")
	}
	// Watermill's own TestReconnect leaves one behind.
	left := goleak.IgnoreAnyFunction("github.com/ThreeDotsLabs/watermill/pubsub/tests.TestReconnect.func2")
	goleak.VerifyTestMain(patient{m, []goleak.Option{goleak.IgnoreCurrent(), left}}, goleak.IgnoreCurrent(), left, goleak.Cleanup(func(code int) {
		if server != nil {
			if err := server.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
		os.Exit(code)
	}))
}

// patient has the tests' goroutines end in their time: those that close a
// connection wait for the server, which may be busy.
type patient struct {
	tests *testing.M
	left  []goleak.Option
}

func (p patient) Run() int {
	code := p.tests.Run()
	for end := time.Now().Add(patience); code == 0 && time.Now().Before(end) && goleak.Find(p.left...) != nil; {
		continue
	}
	return code
}

var schemas atomic.Int64

// schema has the store use a new schema, and skips the test without a server.
func schema(tb testing.TB) func(*postgres.Config) {
	tb.Helper()
	if missing != nil {
		tb.Skip(missing)
	}
	name := fmt.Sprintf("t%d_%d", os.Getpid(), schemas.Add(1))
	if strings.Contains(os.Getenv("NOTIFY_TEST_POSTGRES"), "=") {
		tb.Cleanup(func() { drop(tb, name) })
	}
	return func(c *postgres.Config) { c.Schema = name }
}
