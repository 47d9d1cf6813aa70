package memory

import "sync"

// aliases tells which record holds an alias.
type aliases struct {
	mu      sync.Mutex // after a stripe's, never before it
	holders map[string]string
}

func (a *aliases) holder(alias string) (id string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, ok = a.holders[alias]
	return id, ok
}

// add gives the record those of the aliases that nobody holds, and returns them.
func (a *aliases) add(id string, wants []string) (added []string) {
	if len(wants) == 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, alias := range wants {
		if _, taken := a.holders[alias]; !taken {
			a.holders[alias] = id
			added = append(added, alias)
		}
	}
	return added
}

func (a *aliases) remove(held []string) {
	if len(held) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, alias := range held {
		delete(a.holders, alias)
	}
}

func (a *aliases) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.holders)
}
