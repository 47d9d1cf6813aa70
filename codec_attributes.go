package notify

import (
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// The metadata entries of an event: the attributes of CloudEvents 1.0.2 under
// the prefix of its Kafka binding, and Kafka's content-type. From ce_recipient
// on they are extension attributes; traceparent and tracestate are those of
// the Distributed Tracing extension, partitionkey of Partitioning.
const (
	attributePrefix = "ce_"
	contentType     = "content-type"

	attrSpecVersion  = "ce_specversion"
	attrID           = "ce_id"
	attrType         = "ce_type"
	attrSource       = "ce_source"
	attrTime         = "ce_time"
	attrSubject      = "ce_subject"
	attrPartitionKey = backend.KeyMetadata
	attrRecipient    = "ce_recipient"
	attrTenant       = "ce_tenant"
	attrCategory     = "ce_category"
	attrLabels       = "ce_labels" // a JSON object, as text
	attrSeen         = "ce_seen"
	attrCausation    = "ce_causation"
	attrDepth        = "ce_depth"
	attrTraceParent  = "ce_traceparent"
	attrTraceState   = "ce_tracestate"

	maxAttributes = 16
)

func knownAttribute(name string) bool {
	switch name {
	case attrSpecVersion, attrID, attrType, attrSource, attrTime, attrSubject, attrPartitionKey,
		attrRecipient, attrTenant, attrCategory, attrLabels, attrSeen, attrCausation, attrDepth,
		attrTraceParent, attrTraceState:
		return true
	default:
		return false
	}
}

type attribute struct{ name, value string }

// attributes appends the fact's attributes, those without a value left out.
func (c *codec) attributes(to []attribute, f *fact, found *problems) []attribute {
	size := 0
	add := func(name, value string) {
		if value == "" {
			return
		}
		if problem := attributeProblem(value); problem != "" {
			found.add(name, "%s", problem)
		}
		size += len(name) + len(value)
		to = append(to, attribute{name, value})
	}
	if f.ID == "" {
		found.add(attrID, "is missing")
	}
	add(attrSpecVersion, specVersion)
	add(attrID, f.ID)
	add(attrType, c.wireName(f, found))
	add(attrSource, c.sourceOf(f, found))
	add(attrTime, formatTime(attrTime, f.Time, found))
	add(attrSubject, f.NotificationID)
	add(attrPartitionKey, f.key())
	add(attrRecipient, f.RecipientID)
	add(attrTenant, f.Tenant)
	add(attrCategory, f.Category)
	add(attrLabels, formatLabels(f.Labels))
	add(attrSeen, formatTime(attrSeen, f.Seen, found))
	add(attrCausation, f.CausationID)
	add(attrDepth, formatDepth(f.Depth, found))
	if f.TraceParent != "" { // without it the extension has no tracestate
		add(attrTraceParent, f.TraceParent)
		add(attrTraceState, f.TraceState)
	}
	for name, value := range f.foreign() {
		size += len(name) + len(value)
	}
	if size > maxAttributesBytes {
		found.addErr(ErrTooLarge, "attributes", "are over %d bytes together", maxAttributesBytes)
	}
	return to
}

// checkAttributes finds what attributes would, for a fact made here, without
// the texts that only a wire needs.
func (c *codec) checkAttributes(f *fact, found *problems) {
	if f.ID == "" {
		found.add(attrID, "is missing")
	}
	labels := formatLabels(f.Labels)
	depth := formatDepth(f.Depth, found)
	parent, state := f.TraceParent, f.TraceState
	if parent == "" {
		state = ""
	}
	texts := [...]attribute{
		{attrID, f.ID},
		{attrType, c.wireName(f, found)},
		{attrSource, c.sourceOf(f, found)},
		{attrSubject, f.NotificationID},
		{attrRecipient, f.RecipientID},
		{attrTenant, f.Tenant},
		{attrCategory, f.Category},
		{attrCausation, f.CausationID},
		{attrTraceParent, parent},
		{attrTraceState, state},
	}
	checkTime(attrTime, f.Time, found)
	checkTime(attrSeen, f.Seen, found)
	// The rest has at most this size.
	size := len(labels) + len(depth) + len(f.key()) + 512
	for i := range texts {
		if problem := attributeProblem(texts[i].value); problem != "" {
			found.add(texts[i].name, "%s", problem)
		}
		size += len(texts[i].value)
	}
	if size > maxAttributesBytes {
		found.addErr(ErrTooLarge, "attributes", "are over %d bytes together", maxAttributesBytes)
	}
}

func (c *codec) wireName(f *fact, found *problems) string {
	if f.kind.event == nil {
		switch data := f.data().(type) {
		case Raw, nil:
			if f.Type == "" {
				found.add(attrType, "is missing")
			}
		default:
			found.add(attrType, "%T is not registered; see RegisterEvent", data)
		}
		return f.Type
	}
	if f.Type != "" && f.Type != f.kind.name {
		found.add(attrType, "must be %s for %v", f.kind.name, f.kind.event)
	}
	return f.kind.name
}

func (c *codec) sourceOf(f *fact, found *problems) string {
	problem, source := c.sourceProblem, c.source
	if f.Source != "" && f.Source != c.source {
		problem, source = sourceProblem(f.Source), f.Source
	}
	if problem != "" {
		found.add(attrSource, "%s", problem)
	}
	return source
}

// readAttributes returns the envelope, and the attributes that have no place
// in it. A source that is ownSource is known to be good.
func readAttributes(from message.Metadata, ownSource string, found *problems) (Envelope, message.Metadata) {
	read := func(name string) string {
		value := from[name]
		if value != "" {
			if problem := attributeProblem(value); problem != "" {
				found.add(name, "%s", problem)
				return ""
			}
		}
		return value
	}
	required := func(name string) string {
		if from[name] == "" {
			found.add(name, "is missing")
		}
		return read(name)
	}
	if version := required(attrSpecVersion); version != "" && version != specVersion {
		found.add(attrSpecVersion, "must be %s", specVersion)
	}
	e := Envelope{
		ID:             required(attrID),
		Type:           required(attrType),
		Source:         required(attrSource),
		Time:           parseTime(attrTime, read(attrTime), found),
		NotificationID: read(attrSubject),
		RecipientID:    read(attrRecipient),
		Tenant:         read(attrTenant),
		Category:       read(attrCategory),
		Labels:         parseLabels(read(attrLabels), found),
		Seen:           parseTime(attrSeen, read(attrSeen), found),
		CausationID:    read(attrCausation),
		Depth:          parseDepth(read(attrDepth), found),
		TraceParent:    read(attrTraceParent),
		TraceState:     read(attrTraceState),
	}
	if e.TraceParent == "" {
		e.TraceState = ""
	}
	if e.Source != "" && e.Source != ownSource {
		if problem := sourceProblem(e.Source); problem != "" {
			found.add(attrSource, "%s", problem)
		}
	}
	return e, extraAttributes(from, found)
}

// extraAttributes returns the attributes that this program does not know. An
// entry that is none of CloudEvents is no part of the event.
func extraAttributes(from message.Metadata, found *problems) message.Metadata {
	var extra message.Metadata
	size, bad := 0, false
	for name, value := range from {
		known := knownAttribute(name)
		if !known && !isExtraAttribute(name) {
			continue
		}
		size += len(name) + len(value)
		if known || value == "" {
			continue
		}
		if extra == nil {
			extra = message.Metadata{}
		}
		extra[name] = value
		bad = bad || attributeProblem(value) != ""
	}
	if bad {
		found.add("extension attributes", "must be valid UTF-8 without control characters")
	}
	if size > maxAttributesBytes {
		found.addErr(ErrTooLarge, "attributes", "are over %d bytes together", maxAttributesBytes)
	}
	return extra
}

func isExtraAttribute(name string) bool {
	name, prefixed := strings.CutPrefix(name, attributePrefix)
	if !prefixed || name == "" || name == "data" || name == "datacontenttype" {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
