package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// DeadLetter is an event that an observer could not handle.
type DeadLetter struct {
	// ID names the dead letter.
	ID       string
	Observer string
	// Event is what was not handled; its Data is [Raw] and its envelope empty
	// but for what could be read if it could not be decoded.
	Event Event[any]
	Class ObserverError
	// Error is the error's text, at most 512 bytes of it; for a panic only the
	// type of its value.
	Error    string
	Attempts int
	At       time.Time
}

// bury puts an event away, and raises DeadLettered.
func (b *bus) bury(r *runner, m *message.Message, attempts int, class ObserverError, cause error) error {
	wire, err := backend.Wire(m)
	if err != nil {
		// An event that has no form on a wire would come again for ever. Its
		// letter says which one it was.
		lost, _ := aboutEvent(m)
		wire = message.NewMessage(lost.ID, nil)
		wire.Metadata = message.Metadata{attrID: lost.ID, attrType: lost.Type, backend.KeyMetadata: backend.Key(m)}
		b.log.Error("notify: a dead letter is without its event", "observer", r.Name, "event", lost.ID, "error", err)
	}
	ctx := context.WithoutCancel(r.base)
	text := clip(fmt.Sprint(cause), maxLetterError) // the host's Error may panic, which fmt outlives
	id, dropped, err := b.letters.Bury(ctx, backend.DeadLetter{
		Group: r.group(), Topic: eventsTopic, Message: wire, Class: string(class),
		Error: text, Attempts: attempts, At: time.Now(),
	})
	if err != nil {
		return fmt.Errorf("notify: store a dead letter: %w", err)
	}
	if dropped {
		b.log.Error("notify: the store of dead letters is full, and dropped its oldest")
	}
	b.log.Error("notify: an observer gave up on an event", "observer", r.Name, "event", wire.UUID,
		"class", string(class), "attempts", attempts, "error", text)
	if about, ok := aboutEvent(m); ok {
		b.emit(ctx, DeadLettered{
			Observer: r.Name, EventID: about.ID, EventType: about.Type, Class: class, Attempts: attempts, LetterID: id,
		}, about)
	}
	return nil
}

// maxLetterError bounds the text of DeadLetter.Error, in bytes.
const maxLetterError = 512

// DeadLetters returns up to limit dead letters (100 if it is not positive) of
// the observer (of all, if it is empty), oldest first, after the one whose ID
// is given. Those under the [Observer.FormerName] of an observer that is
// registered here are listed as its own.
func (n *Notifier) DeadLetters(ctx context.Context, observer, after string, limit int) ([]DeadLetter, error) {
	if limit <= 0 {
		limit = lettersPage
	}
	kept, err := n.bus.lettersOf(ctx, observer, after, limit)
	if err != nil {
		return nil, fmt.Errorf("notify: list dead letters: %w", translate(err))
	}
	renamed := n.bus.renamed()
	letters := make([]DeadLetter, len(kept))
	for i, k := range kept {
		letters[i] = DeadLetter{
			ID: k.ID, Observer: strings.TrimPrefix(k.Group, observerGroup("")), Class: ObserverError(k.Class),
			Error: k.Error, Attempts: k.Attempts, At: k.At,
		}
		if name, ok := renamed[letters[i].Observer]; ok {
			letters[i].Observer = name
		}
		if letters[i].Event, err = n.Decode(k.Message); err != nil {
			letters[i].Event = Event[any]{
				Envelope: Envelope{ID: k.Message.UUID, Type: k.Message.Metadata[attrType]},
				Data:     Raw(k.Message.Payload),
			}
		}
	}
	return letters, nil
}

const lettersPage = 100

// renamed has the names of observers by their former ones, as far as these are
// not in use again.
func (b *bus) renamed() map[string]string {
	names := map[string]string{}
	all := b.all()
	for _, r := range all {
		if r.FormerName != "" {
			names[r.FormerName] = r.Name
		}
	}
	for _, r := range all {
		delete(names, r.Name)
	}
	return names
}

// letterGroups are the groups under which the observer's dead letters are, the
// oldest first.
func (b *bus) letterGroups(observer string) []string {
	groups := []string{observerGroup(observer)}
	for former, name := range b.renamed() {
		if name == observer {
			groups = append([]string{observerGroup(former)}, groups...)
		}
	}
	return groups
}

// lettersOf lists the observer's dead letters, or, if it is empty, all.
func (b *bus) lettersOf(ctx context.Context, observer, after string, limit int) ([]backend.DeadLetter, error) {
	if observer == "" {
		return b.letters.Letters(ctx, "", after, limit)
	}
	groups := b.letterGroups(observer)
	if len(groups) > 1 {
		former, err := b.letters.Letters(ctx, groups[0], "", 1)
		if err != nil {
			return nil, err
		}
		if len(former) == 0 {
			groups = groups[1:]
		}
	}
	if len(groups) == 1 {
		return b.letters.Letters(ctx, groups[0], after, limit)
	}
	// Only the store knows the order of letters of two groups.
	var found []backend.DeadLetter
	for {
		page, err := b.letters.Letters(ctx, "", after, lettersPage)
		if err != nil || len(page) == 0 {
			return found, err
		}
		for _, letter := range page {
			after = letter.ID
			if slices.Contains(groups, letter.Group) {
				if found = append(found, letter); len(found) == limit {
					return found, nil
				}
			}
		}
	}
}
