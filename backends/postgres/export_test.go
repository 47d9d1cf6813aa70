package postgres

import (
	"strings"
	"time"

	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// SeesAll turns off the rule that nothing is read that is not below every open
// transaction.
func SeesAll(c *Config) { c.seesAll = true }

// Unfenced has positions written whoever holds the lease.
func Unfenced(c *Config) {
	c.writePosition = strings.Replace(writePosition, "and owner = $4 and epoch = $5", "and $4::text is not null and $5::bigint is not null", 1)
}

// Idle is how long the server lets a transaction be idle.
func Idle(d time.Duration) func(*Config) { return func(c *Config) { c.idle = d } }

// Patience is how long the server may be silent.
func Patience(d time.Duration) func(*Config) { return func(c *Config) { c.silence = d } }

// Deaf has a process not notice that its leases end.
func Deaf(c *Config) { c.deaf = true }

// Held is how many partitions the backend holds for a group.
func Held(b *Backend, topic, group string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.shares[shareKey{topic, group}]; s != nil {
		return len(s.held())
	}
	return 0
}

// Unlimited has a claim not count the calls that are under way.
func Unlimited(c *Config) {
	c.claimDeliveries = strings.Replace(claimDeliveries, "e.calls - count(*)", "e.calls + 0 * count(*)", 1)
}

// Statement is one that has to use indexes, with arguments as SQL has them.
type Statement struct{ Name, SQL, Args string }

// Statements are those of the webhook and suppression stores that run often.
func Statements() []Statement {
	list := func(q webhook.Query) string {
		sql, _ := listEndpoints(q)
		return sql
	}
	entries := func(q suppression.Query, later bool) string {
		sql, _ := listEntries(q, suppression.Key{}, later)
		return sql
	}
	const now, ids = "timestamptz '2026-01-01 12:00Z'", "array['ep_00010','ep_00020']"
	return []Statement{
		{"first ready", firstReady, "1"},
		{"lock ready", lockReady, "1, " + now + ", 64"},
		{"claim", claimDeliveries, ids + ", " + now + ", 64, " + now + ", 1"},
		{"touch", touch, ids},
		{"lock wanting", lockWanting, "'tenant_7', 'notify.sent.v1'"},
		{"add", addMessage, "'m', 'notify.sent.v1', 'tenant_7', " + now + ", 2, '{}', " + ids},
		{"drop the oldest of an endpoint", dropOldest, ids + ", 10000, 10"},
		{"note an attempt", noteAttempt, "'ep_00010', 1, 'm', 't', 1, " + now + ", 1, 200, '', null, 100, 'tenant_1'"},
		{"finish", endDelivery + finishClaim, "'ep_00010', 1, false, true, " + now + ", null, '', 1, null, 'https://example.com'"},
		{"put back", backDelivery + finishClaim, "'ep_00010', 1, false, true, " + now + ", null, '', 1, null, 'https://example.com', 2, " + now},
		{"replay", replayMessages, "'ep_00010', 'tenant_7', array['notify.sent.v1'], " + now + ", 100"},
		{"attempts", listAttempts, "'ep_00010', 1000, '', false, 50"},
		{"get", getEndpoint, "'ep_00010'"},
		{"list", list(webhook.Query{AllTenants: true}), "'ep_00010', 50"},
		{"list those without a tenant", list(webhook.Query{}), "'', 50, ''"},
		{"list a tenant's", list(webhook.Query{Tenant: "t"}), "'', 50, 'tenant_7'"},
		{"oldest messages", oldestMessages, "10, 10, 100"},
		{"lock messages", lockMessages, "array[1, 2]::bigint[]"},
		{"lock who waits", lockAwaiting, "array[1, 2]::bigint[]"},
		{"find entries", findEntries, "'tenant_7', array['r_1'], array['h_1']"},
		{"set an entry", setEntry, "'tenant_7', 'email', 'r_1', '', '', 'host', false, " + now + ", ''"},
		{"list entries", entries(suppression.Query{AllTenants: true}, false), "50"},
		{"list entries of a tenant, further", entries(suppression.Query{Tenant: "t"}, true), "'tenant_7', 'tenant_7', 'email', '', '', '', 50"},
		{"list entries of a recipient", entries(suppression.Query{AllTenants: true, RecipientID: "r"}, false), "'r_1', 50"},
	}
}

// ListQuery is the statement that finds a page's entries, and its arguments.
func ListQuery(q timeline.Query) (string, []any, error) {
	q, after, err := q.Resolve()
	query, args := listQuery(q, after)
	return query, args, err
}
