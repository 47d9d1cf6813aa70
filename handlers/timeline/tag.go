package timeline

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/seed-6c01d079/notify"
)

const (
	maxLabels = 16  // of an entry
	maxLabel  = 128 // bytes of a name or a value
)

// Tag is one of several values that an entry is found by. Stores index them as
// they are; only this package knows what Name and Value mean.
type Tag struct{ Name, Value string }

const (
	channelTag   = "channel"
	labelTag     = "label." // and the label's name
	recipientTag = "recipient"
)

// Tags returns what a store indexes of the entry: its channels, its labels, and
// the recipients that its events name and its Status does not. Each is there
// once, in order of name and value.
func (e Entry) Tags() []Tag {
	var tags []Tag
	for i := range e.Status.Legs {
		if leg := &e.Status.Legs[i]; begun(leg) && leg.Channel != "" {
			tags = append(tags, Tag{channelTag, string(leg.Channel)})
		}
	}
	tags = append(tags, tagsOf(e.Labels)...)
	for i := range e.Events {
		about := &e.Events[i].Envelope
		if about.RecipientID != "" && (about.RecipientID != e.Status.RecipientID || about.Tenant != e.Status.Tenant) {
			tags = append(tags, RecipientTag(about.Tenant, about.RecipientID))
		}
	}
	slices.SortFunc(tags, func(a, b Tag) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value)) })
	return slices.Compact(tags)
}

// RecipientTag is the tag of an entry of which an event names another recipient,
// or tenant, than its Status does: [Store.Erase] erases the entry for each of
// them.
func RecipientTag(tenant, recipientID string) Tag {
	return Tag{recipientTag, tenant + "\n" + recipientID} // neither has a line break
}

// Tags returns those that an entry must have to meet the query, in order of
// their names.
func (q Query) Tags() []Tag {
	var tags []Tag
	if q.Channel != "" {
		tags = append(tags, Tag{channelTag, string(q.Channel)})
	}
	return append(tags, tagsOf(q.Labels)...)
}

func tagsOf(labels map[string]string) (tags []Tag) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		tags = append(tags, Tag{labelTag + name, labels[name]})
	}
	return tags
}

// begun tells whether the leg was more than planned.
func begun(leg *notify.LegStatus) bool { return len(leg.Attempts) > 0 || leg.Reason != "" }

// labels are those of the lifecycle event that happened first and has any; at
// the same time, of the smaller ID. So they follow from the events alone.
type labels struct {
	at    time.Time
	id    string
	pairs map[string]string
}

func (l *labels) join(e *notify.Envelope) {
	at := e.Time.Round(0).UTC()
	if len(e.Labels) == 0 || l.pairs != nil && cmp.Or(at.Compare(l.at), cmp.Compare(e.ID, l.id)) >= 0 {
		return
	}
	*l = labels{at: at, id: e.ID, pairs: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(e.Labels)) {
		if len(l.pairs) < maxLabels && name != "" && len(name) <= maxLabel && len(e.Labels[name]) <= maxLabel {
			l.pairs[name] = e.Labels[name]
		}
	}
}
