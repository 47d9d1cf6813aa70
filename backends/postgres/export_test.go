package postgres

// SeesAll turns off the rule that nothing is read that is not below every open
// transaction.
func SeesAll(c *Config) { c.seesAll = true }
