package kafka

// ReadNote reads what is noted beside an offset: where reading goes on, and the
// offsets of what waits.
func ReadNote(low int64, text string) (next int64, waiting []int64, ok bool) {
	n, ok := readNote(low, text)
	for _, one := range n.waiting {
		waiting = append(waiting, one.Position)
	}
	return n.next, waiting, ok
}
