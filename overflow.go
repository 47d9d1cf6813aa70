package notify

import (
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"
)

var (
	errOverflow = errors.New("too many events of its notification wait behind one that failed")
	errPaused   = errors.New("the observer is paused")
)

// overflow makes a dead letter of an event that found no room behind one of its
// key that failed, so that the other keys' are read on. A paused observer's
// events stay in the log: there, nothing is wrong with the key.
func (r *runner) overflow(m *message.Message) error {
	f, isLocal := m.Context().(*fact)
	if !isLocal {
		var err error
		if f, err = r.bus.codec.decode(m); err != nil {
			return r.giveUp(m, 0, ObserverUndecodable, &undecodable{err})
		}
	}
	switch {
	case r.match(f, 0) == len(r.Handlers):
		return nil
	case r.pause.on():
		return errPaused
	}
	return r.giveUp(m, 0, ObserverOverflow, errOverflow)
}

// giveUp makes an event a dead letter.
func (r *runner) giveUp(m *message.Message, attempts int, class ObserverError, cause error) error {
	if err := r.bus.bury(r, m, attempts, class, cause); err != nil {
		return err
	}
	r.stats.deadLetters.Add(1)
	return nil
}
