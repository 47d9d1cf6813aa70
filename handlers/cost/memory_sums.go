package cost

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// apply makes all of the changes, or none.
func (m *Memory) apply(changes []Change) error {
	for i, c := range changes {
		if m.isDropped(c.Period) {
			continue
		}
		err := m.room(c.Cell, changes)
		if err == nil {
			err = m.change(c)
		}
		if err != nil {
			m.undo(inverse(changes[:i]))
			return err
		}
	}
	return nil
}

// undo makes changes that lead back to sums that were there.
func (m *Memory) undo(changes []Change) {
	for _, c := range changes {
		if !m.isDropped(c.Period) {
			_ = m.change(c)
		}
	}
}

func inverse(changes []Change) []Change {
	all := make([]Change, len(changes))
	for i, c := range changes {
		all[i] = Change{c.Cell, -c.Micros, c.Count.times(-1)}
	}
	return all
}

func (m *Memory) change(c Change) error {
	p := m.periods[c.Period]
	if p == nil {
		p = &period{cells: map[Cell]*Sum{}, tenants: map[string][]Cell{}}
		m.periods[c.Period] = p
	}
	sum := p.cells[c.Cell]
	isNew := sum == nil
	if isNew {
		sum = &Sum{Currency: c.Currency}
	}
	if err := sum.Add(c.Micros, c.Count); err != nil {
		return err
	}
	switch {
	case sum.IsZero() && !isNew:
		m.drop(p, c.Cell)
	case isNew:
		p.cells[c.Cell] = sum
		m.cells++
		if c.All {
			p.all = append(p.all, c.Cell)
		} else {
			p.tenants[c.Tenant] = append(p.tenants[c.Tenant], c.Cell)
		}
	}
	return nil
}

func (m *Memory) drop(p *period, cell Cell) {
	delete(p.cells, cell)
	m.cells--
	is := func(one Cell) bool { return one == cell }
	if cell.All {
		p.all = slices.DeleteFunc(p.all, is)
		return
	}
	if p.tenants[cell.Tenant] = slices.DeleteFunc(p.tenants[cell.Tenant], is); len(p.tenants[cell.Tenant]) == 0 {
		delete(p.tenants, cell.Tenant)
	}
}

// room makes room for a cell, by dropping the oldest day, or else month, that is
// over everywhere, not the latest, and that nobody counts for now.
func (m *Memory) room(cell Cell, changes []Change) error {
	for m.cells >= m.config.Cells {
		if p := m.periods[cell.Period]; p != nil && p.cells[cell] != nil {
			return nil
		}
		oldest := m.surplus(changes)
		if oldest == "" {
			return m.overloaded()
		}
		m.cells -= len(m.periods[oldest].cells)
		delete(m.periods, oldest)
		if isDay(oldest) {
			m.droppedDay = max(m.droppedDay, oldest)
		} else {
			m.droppedMonth = max(m.droppedMonth, oldest)
		}
	}
	return nil
}

// surplus is the period that may go first; empty if none may.
func (m *Memory) surplus(changes []Change) (oldest string) {
	var month, day string // the latest
	for name := range m.periods {
		if isDay(name) {
			day = max(day, name)
		} else {
			month = max(month, name)
		}
	}
	yesterday := time.Now().UTC().Add(-24 * time.Hour).Format(dayLayout)
	for name := range m.periods {
		stays := name == month || name == day || name >= yesterday[:len(name)] ||
			slices.ContainsFunc(changes, func(c Change) bool { return c.Period == name })
		if !stays && (oldest == "" || isDay(name) && !isDay(oldest) || isDay(name) == isDay(oldest) && name < oldest) {
			oldest = name
		}
	}
	return oldest
}

func isDay(period string) bool { return len(period) == len(dayLayout) }

func (m *Memory) isDropped(period string) bool {
	if isDay(period) {
		return period <= m.droppedDay
	}
	return period <= m.droppedMonth
}

// Sums implements [Store]. By tenant, it goes through all of the period's.
func (m *Memory) Sums(_ context.Context, q Query) (Page, error) {
	q, after, later, err := q.Resolve()
	if err != nil {
		return Page{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	p := m.periods[q.Period]
	if p == nil {
		return Page{}, nil
	}
	sums := map[Position]*Sum{}
	for _, cells := range p.lists(q) {
		for _, cell := range cells {
			position := Position{q.By.Value(cell.Group), cell.Currency}
			if !q.Matches(cell.Group) || later && position.compare(after) <= 0 {
				continue
			}
			sum := sums[position]
			if sum == nil {
				sum = &Sum{Value: position.Value, Currency: position.Currency}
				sums[position] = sum
			}
			if err := sum.Add(p.cells[cell].Micros, p.cells[cell].Count); err != nil {
				return Page{}, err
			}
		}
	}
	order := slices.SortedFunc(maps.Keys(sums), Position.compare)
	var page Page
	for _, position := range order[:min(q.Limit, len(order))] {
		page.Sums = append(page.Sums, *sums[position])
	}
	if len(order) > q.Limit {
		page.Next = order[q.Limit-1].Cursor()
	}
	return page, nil
}

// lists are the cells that a query is about.
func (p *period) lists(q Query) [][]Cell {
	switch {
	case q.By == ByTenant:
		return slices.Collect(maps.Values(p.tenants))
	case q.AllTenants:
		return [][]Cell{p.all}
	default:
		return [][]Cell{p.tenants[q.Tenant]}
	}
}

func (p Position) compare(other Position) int {
	return cmp.Or(cmp.Compare(p.Value, other.Value), cmp.Compare(p.Currency, other.Currency))
}
