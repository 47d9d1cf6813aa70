package postgres

import (
	"strings"
	"time"
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
