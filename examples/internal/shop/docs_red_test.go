package shop

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/notifytest"
)

// heard is a test that has only to fail.
type heard struct {
	testing.TB
	said []string
}

func (*heard) Helper() {}

func (h *heard) Errorf(format string, args ...any) {
	h.said = append(h.said, fmt.Sprintf(format, args...))
}

// program is the shop, perhaps changed.
func program(t *testing.T, change func(n *notify.Notifier)) *notify.Notifier {
	t.Helper()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close(context.Background())) })
	register(n, Mail{Server: "localhost:25", From: "shop@example.com"}, &screen{out: io.Discard}, timeline.NewMemory(), nil)
	change(n)
	return n
}

// toChat stands for a provider of another channel.
type toChat struct{}

func (toChat) Name() string { return "chat" }

func (toChat) Send(context.Context, notify.Delivery[notify.Chat]) (notify.Receipt, error) {
	return notify.Receipt{}, nil
}

// Whoever changes the shop's program and not its pages fails TestDocs, which says
// in which file and what; rewritten, the pages are right again. The committed ones
// are not touched.
func TestDocsAreRedWhenTheProgramChanges(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(n *notify.Notifier)
		says   string // of what differs
	}{
		"one more observer": {func(n *notify.Notifier) {
			notify.On(n, "refunds", func(context.Context, notify.Event[notify.Bounced]) error { return nil })
		}, "refunds"},
		"an observer less": {func(n *notify.Notifier) { require.NoError(t, n.Detach(context.Background(), "failovers")) }, "failovers"},
		"an observer of something else": {func(n *notify.Notifier) {
			require.NoError(t, n.Detach(context.Background(), "failovers"))
			notify.On(n, "failovers", func(context.Context, notify.Event[notify.Undeliverable]) error { return nil })
		}, `failed\_over`},
		"one more channel": {func(n *notify.Notifier) { notify.Use(n, toChat{}) }, "chat"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(notifytest.UpdateVariable, "") // not the committed pages
			docs := t.TempDir()
			require.NoError(t, os.CopyFS(docs, os.DirFS("../../../docs/quickstart")))
			look := func(n *notify.Notifier) string {
				h := &heard{TB: t}
				notifytest.RequireDocs(h, n, docs)
				return strings.Join(h.said, "\n")
			}
			require.Empty(t, look(program(t, func(*notify.Notifier) {})))
			said := look(program(t, tc.change))
			require.Contains(t, said, filepath.Join(docs, "topology.md")+" differs from the program")
			require.Contains(t, said, tc.says)
			require.Contains(t, said, notifytest.UpdateVariable+"=1")

			t.Setenv(notifytest.UpdateVariable, "1")
			require.Empty(t, look(program(t, tc.change)))
			t.Setenv(notifytest.UpdateVariable, "")
			require.Empty(t, look(program(t, tc.change)), "rewritten")
			require.Contains(t, look(program(t, func(*notify.Notifier) {})), "topology.md differs", "what was right is not any more")
		})
	}
}
