package notify

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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
	required := func(name, value string) {
		if value == "" {
			found.add(name, "is missing")
		}
		add(name, value)
	}
	required(attrSpecVersion, specVersion)
	required(attrID, f.ID)
	required(attrType, c.wireName(f, found))
	required(attrSource, c.sourceOf(f, found))
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
	add(attrTraceParent, f.TraceParent)
	add(attrTraceState, f.TraceState)
	for name, value := range f.msg.Metadata {
		size += len(name) + len(value)
	}
	if size > maxAttributesBytes {
		found.addErr(ErrTooLarge, "attributes", "are over %d bytes together", maxAttributesBytes)
	}
	return to
}

func (c *codec) wireName(f *fact, found *problems) string {
	if _, isRaw := f.data.(Raw); isRaw || f.data == nil {
		return f.Type
	}
	name, known := c.typeOf(f.data)
	switch {
	case !known:
		found.add(attrType, "%T is not registered; see RegisterEvent", f.data)
		return f.Type
	case f.Type != "" && f.Type != name:
		found.add(attrType, "must be %s for %T", name, f.data)
	}
	return name
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

// attributeProblem says what keeps value from being a String of CloudEvents,
// or nothing.
func attributeProblem(value string) string {
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return unicodeProblem(value[i:])
		}
	}
	return ""
}

func unicodeProblem(value string) string {
	if !utf8.ValidString(value) {
		return "must be valid UTF-8"
	}
	for _, r := range value {
		if forbiddenRune(r) {
			return "must not hold control characters"
		}
	}
	return ""
}

// forbiddenRune tells of control characters and of Unicode's noncharacters.
func forbiddenRune(r rune) bool {
	return r < ' ' || 0x7f <= r && r <= 0x9f || 0xfdd0 <= r && r <= 0xfdef || r&0xfffe == 0xfffe
}

// sourceProblem says what keeps source from being that of an event, or
// nothing: it has to be a URI reference (RFC 3986).
func sourceProblem(source string) string {
	switch _, err := url.Parse(source); {
	case source == "":
		return "must not be empty"
	case err != nil, attributeProblem(source) != "", strings.ContainsAny(source, " <>\"{}|\\^`"):
		return "must be a URI reference, such as /shop/orders"
	default:
		return ""
	}
}

func formatTime(name string, t time.Time, found *problems) string {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		found.add(name, "must be in the years 0 to 9999")
	}
	return t.Format(time.RFC3339Nano)
}

func parseTime(name, value string, found *problems) time.Time {
	var t time.Time
	if value == "" {
		return t
	}
	err := t.UnmarshalText([]byte(value))
	if t = t.UTC(); err != nil || t.Year() < 0 || t.Year() > 9999 {
		found.add(name, "must be a time as RFC 3339 writes it")
	}
	return t
}

// formatLabels writes the labels in the order of their names.
func formatLabels(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	text, _ := json.Marshal(labels) // strings always have a form
	if attributeProblem(string(text)) == "" {
		return string(text)
	}
	escaped := make([]byte, 0, len(text)+16)
	for _, r := range string(text) {
		switch {
		case !forbiddenRune(r):
			escaped = utf8.AppendRune(escaped, r)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
	}
	return string(escaped)
}

func parseLabels(value string, found *problems) map[string]string {
	if value == "" {
		return nil
	}
	var labels map[string]string
	if err := json.Unmarshal([]byte(value), &labels); err != nil || labels == nil {
		found.add(attrLabels, "must be a JSON object of strings")
	}
	return labels
}

func formatDepth(depth int, found *problems) string {
	if depth < 0 || depth > 1<<31-1 {
		found.add(attrDepth, "must be from 0 to 2147483647")
	}
	if depth == 0 {
		return ""
	}
	return strconv.Itoa(depth)
}

func parseDepth(value string, found *problems) int {
	if value == "" {
		return 0
	}
	depth, err := strconv.ParseInt(value, 10, 32)
	if err != nil || depth < 0 {
		found.add(attrDepth, "must be an integer from 0 to 2147483647")
	}
	return int(depth)
}
