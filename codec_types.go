package notify

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
)

const (
	ownPrefix        = "notify."
	maxWireNameBytes = 128
)

// eventTypes maps structs to their types on the wire and back. It is never
// changed once it is in use.
type eventTypes struct {
	byType map[reflect.Type]*eventKind
	byName map[string]*eventKind
}

// eventKind is a type of event: its struct, and its type on the wire. Within a
// codec there is one for each.
type eventKind struct {
	event reflect.Type // nil: of what this program does not know
	name  string
	codec *codec
}

// builtinTypes is the vocabulary: every event of this package.
func builtinTypes(c *codec) *eventTypes {
	types := map[string]reflect.Type{
		"notify.accepted.v1":      reflect.TypeFor[Accepted](),
		"notify.delayed.v1":       reflect.TypeFor[Delayed](),
		"notify.routed.v1":        reflect.TypeFor[Routed](),
		"notify.rendered.v1":      reflect.TypeFor[Rendered](),
		"notify.sending.v1":       reflect.TypeFor[Sending](),
		"notify.sent.v1":          reflect.TypeFor[Sent](),
		"notify.retrying.v1":      reflect.TypeFor[Retrying](),
		"notify.failed_over.v1":   reflect.TypeFor[FailedOver](),
		"notify.delivered.v1":     reflect.TypeFor[Delivered](),
		"notify.undelivered.v1":   reflect.TypeFor[Undelivered](),
		"notify.bounced.v1":       reflect.TypeFor[Bounced](),
		"notify.failed.v1":        reflect.TypeFor[Failed](),
		"notify.unknown.v1":       reflect.TypeFor[Unknown](),
		"notify.undeliverable.v1": reflect.TypeFor[Undeliverable](),
		"notify.suppressed.v1":    reflect.TypeFor[Suppressed](),
		"notify.canceled.v1":      reflect.TypeFor[Canceled](),
		"notify.expired.v1":       reflect.TypeFor[Expired](),
		"notify.settled.v1":       reflect.TypeFor[Settled](),
		"notify.corrected.v1":     reflect.TypeFor[Corrected](),

		"notify.opened.v1":       reflect.TypeFor[Opened](),
		"notify.clicked.v1":      reflect.TypeFor[Clicked](),
		"notify.read.v1":         reflect.TypeFor[Read](),
		"notify.archived.v1":     reflect.TypeFor[Archived](),
		"notify.replied.v1":      reflect.TypeFor[Replied](),
		"notify.complained.v1":   reflect.TypeFor[Complained](),
		"notify.unsubscribed.v1": reflect.TypeFor[Unsubscribed](),

		"notify.observer_failed.v1":  reflect.TypeFor[ObserverFailed](),
		"notify.observer_skipped.v1": reflect.TypeFor[ObserverSkipped](),
		"notify.dead_lettered.v1":    reflect.TypeFor[DeadLettered](),
		"notify.provider_down.v1":    reflect.TypeFor[ProviderDown](),
		"notify.provider_up.v1":      reflect.TypeFor[ProviderUp](),
		"notify.address_invalid.v1":  reflect.TypeFor[AddressInvalid](),
		"notify.stuck.v1":            reflect.TypeFor[Stuck](),
	}
	all := &eventTypes{byType: map[reflect.Type]*eventKind{}, byName: map[string]*eventKind{}}
	for name, t := range types {
		all.add(&eventKind{t, name, c})
	}
	return all
}

// notAnEvent says why a type is no event, and what to do about it.
func notAnEvent(t reflect.Type) string {
	switch {
	case t == nil:
		return "nil is not an event"
	case t.Kind() == reflect.Pointer:
		return fmt.Sprintf("%v is not an event: use the struct, not a pointer to it", t)
	case t.Kind() != reflect.Struct || t.Name() == "":
		return fmt.Sprintf("%v is not an event: an event is a struct type with a name", t)
	default:
		return fmt.Sprintf("%v is not an event; register it with RegisterEvent first", t)
	}
}

// with returns the types and one more of a host's.
func (e *eventTypes) with(c *codec, t reflect.Type, wireName string) (*eventTypes, error) {
	var found problems
	field := fmt.Sprintf("RegisterEvent[%v]", t)
	if t == nil || t.Kind() != reflect.Struct || t.Name() == "" {
		found.add(field, "must be a struct type with a name, not a pointer to one")
	} else if kind, taken := e.byType[t]; taken {
		found.add(field, "is registered already, as %s", kind.name)
	}
	if problem := wireNameProblem(wireName); problem != "" {
		found.add(field, "the wire name %s", problem)
	} else if other, taken := e.byName[wireName]; taken {
		found.add(field, "the wire name %s is taken by %v", wireName, other.event)
	}
	if err := found.err(); err != nil {
		return nil, err
	}
	next := &eventTypes{byType: maps.Clone(e.byType), byName: maps.Clone(e.byName)}
	next.add(&eventKind{t, wireName, c})
	return next, nil
}

func (e *eventTypes) add(kind *eventKind) {
	e.byType[kind.event], e.byName[kind.name] = kind, kind
}

func wireNameProblem(name string) string {
	switch {
	case name == "":
		return "is missing"
	case len(name) > maxWireNameBytes:
		return fmt.Sprintf("is over %d bytes", maxWireNameBytes)
	case strings.HasPrefix(name, ownPrefix):
		return fmt.Sprintf("must not begin with %q", ownPrefix)
	}
	for word := range strings.SplitSeq(name, ".") {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return `must be words of a-z, 0-9, "-" and "_" with dots between, such as "shop.order_shipped.v1"`
		}
	}
	if name[0] < 'a' || name[0] > 'z' {
		return "must begin with a letter"
	}
	return ""
}
