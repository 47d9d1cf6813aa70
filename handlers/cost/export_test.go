package cost

// AgesOf is how much is kept of the order in which entries are forgotten.
func AgesOf(m *Memory) int { return len(m.oldest) }
