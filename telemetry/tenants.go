package telemetry

import "sync"

// other is the value of an attribute that is not told apart.
const other = "_other"

// tenants says under which name a tenant is counted.
type tenants struct {
	max int // beside those that are known from the start

	mu   sync.RWMutex
	told map[string]struct{}
}

// newTenants returns nil if no tenants are told apart.
func newTenants(listed []string, more int) *tenants {
	if len(listed) == 0 && more <= 0 {
		return nil
	}
	t := &tenants{max: len(listed) + more, told: map[string]struct{}{}}
	for _, tenant := range listed {
		t.told[tenant] = struct{}{}
	}
	t.max = len(t.told) + more
	return t
}

// label is the tenant as an attribute has it; empty is none.
func (t *tenants) label(tenant string) string {
	if t == nil || tenant == "" {
		return ""
	}
	t.mu.RLock()
	_, told := t.told[tenant]
	full := len(t.told) >= t.max
	t.mu.RUnlock()
	switch {
	case told:
		return tenant
	case full:
		return other
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, told = t.told[tenant]; !told && len(t.told) >= t.max {
		return other
	}
	t.told[tenant] = struct{}{}
	return tenant
}
