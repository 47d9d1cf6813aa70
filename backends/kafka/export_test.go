package kafka

import "fmt"

// Groups names the address of the backend's view of the known groups, which may
// be that of another process's too.
func (b *Backend) Groups() string { return fmt.Sprintf("%p", &b.groups) }

// ReadNote reads what is noted beside an offset: where reading goes on, and the
// offsets of what waits.
func ReadNote(low int64, text string) (next int64, waiting []int64, ok bool) {
	n, ok := readNote(low, text)
	for _, one := range n.waiting {
		waiting = append(waiting, one.Position)
	}
	return n.next, waiting, ok
}
