package notify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	defaultMaxBytes = 256 << 10
	maxKey          = 255
	maxLabel        = 128
	maxLabels       = 16
	// maxAhead bounds a schedule, as Budgets.Message is bounded: what follows
	// from it has to be a time that JSON and every store can take.
	maxAhead = 366 * 24 * time.Hour
)

// validation is what a notification is checked against.
type validation struct {
	// channels are those with a provider; nil if this process cannot know.
	channels  map[Channel]bool
	templates *templates
	// hostTemplates says that a renderer of the host's may know templates that
	// the templates above do not.
	hostTemplates bool
	defaultRoute  Route
	hasDirectory  bool
	// unrecorded says that there are no records: see [NoRecords].
	unrecorded bool
	// maxBytes bounds the notification as JSON; 0 is 256 KiB.
	maxBytes int
}

// validateNotification reports every problem of n at once, as FieldErrors that
// name the field and never the value. It neither changes n nor panics. Whether
// a time is past is left to the pipeline.
func validateNotification(n *Notification, c validation) error {
	if c.maxBytes <= 0 {
		c.maxBytes = defaultMaxBytes
	}
	var p problems
	p.recipient(&n.To, c)
	p.content(&n.Content)
	p.template(n, c)
	p.schedule(n)
	p.labels(n)

	before, steps := len(p), 0
	if !n.Route.IsZero() {
		steps = p.route("Route", n.Route, c.channels)
	} else if c.defaultRoute.IsZero() {
		p.add("Route", "is required, since there is no Config.Route")
	}
	if c.unrecorded {
		p.travelling(n, len(p) == before)
	}
	data := dataCheck{budget: c.maxBytes}
	p.data(n.Data, &data)
	p.size(n, c.maxBytes, &data, steps, len(p) == before)
	return p.err()
}

func (p *problems) recipient(to *Recipient, c validation) {
	p.line("To.ID", to.ID, maxKey)
	p.line("To.Name", to.Name, maxKey)
	p.line("To.Locale", to.Locale, maxLabel)
	switch {
	case len(to.Addresses) > 0:
	case to.ID == "":
		p.add("To", "needs an ID or Addresses")
	case !c.hasDirectory:
		p.add("To.Addresses", "is required, since there is no Config.Directory to look the ID up in")
	}
	before := len(*p)
	for channel, address := range to.Addresses {
		p.addressOf(channel, address, c)
	}
	p.sort(before)
}

// sort makes the order of what a map's walk found independent of the walk.
func (p *problems) sort(from int) {
	slices.SortFunc((*p)[from:], func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
}

func (p *problems) addressOf(channel Channel, address string, c validation) {
	switch {
	case !validChannelName(channel):
		p.add("To.Addresses", "a channel's name is 1 to 32 characters of a-z, 0-9, '-' and '_'")
		return
	case c.channels != nil && !c.channels[channel] && channelParts(channel) == nil:
		p.add(addressField(channel), "the channel is unknown; give it a provider with notify.Use")
	}
	if problem := addressProblem(channel, address); problem != "" {
		p.add(addressField(channel), "%s", problem)
	}
}

func addressField(channel Channel) string { return "To.Addresses[" + string(channel) + "]" }

func (p *problems) content(c *Content) {
	p.line("Content.Title", c.Title, 0)
	p.text("Content.Body", c.Body)
	p.text("Content.HTML", c.HTML)
	p.url("Content.URL", c.URL)
	p.stringMap("Content.Data", c.Data)
	if c.ReplyTo != "" {
		p.address("Content.ReplyTo", EmailChannel, c.ReplyTo)
	}
	p.unsubscribeURL("Content.UnsubscribeURL", c.UnsubscribeURL)
	for i := range c.Attachments {
		p.attachment("Content.Attachments", i, c.Attachments[i])
	}
}

func (p *problems) template(n *Notification, c validation) {
	content := &n.Content
	switch {
	case n.Template == "":
		if content.Title == "" && content.Body == "" && content.HTML == "" && content.URL == "" && len(content.Data) == 0 {
			p.add("Content", "is empty, and there is no Template: give it a Title or a Body")
		}
	case !isLine(n.Template) || len(n.Template) > maxKey:
		p.line("Template", n.Template, maxKey)
	case !c.templates.known(n.Template) && !c.hostTemplates:
		p.addErr(ErrNotFound, "Template", "is not in Config.Templates")
	}
}

func (p *problems) schedule(n *Notification) {
	if n.NotBefore.IsZero() && n.ExpiresAt.IsZero() {
		return
	}
	if !n.NotBefore.IsZero() && !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(n.NotBefore) {
		p.add("ExpiresAt", "has to be after NotBefore")
	}
	now := time.Now()
	if n.NotBefore.After(now.Add(maxAhead)) {
		p.add("NotBefore", "has to be at most 366 days from now")
	} else {
		p.time("NotBefore", n.NotBefore)
	}
	if n.ExpiresAt.After(later(now, n.NotBefore).Add(maxAhead)) {
		p.add("ExpiresAt", "has to be at most 366 days from now or, if that is later, from NotBefore; leave it out for Config.Budgets.Message")
	} else {
		p.time("ExpiresAt", n.ExpiresAt)
	}
}

// time refuses what encoding/json does: years beyond 9999 and odd zones.
func (p *problems) time(field string, t time.Time) {
	if t.IsZero() {
		return
	}
	if _, err := t.MarshalText(); err != nil {
		p.add(field, "has to be a time that RFC 3339 can write")
	}
}

func (p *problems) labels(n *Notification) {
	p.line("Key", n.Key, maxKey)
	p.line("Tenant", n.Tenant, maxLabel)
	p.line("Category", n.Category, maxLabel)
	if len(n.Labels) > maxLabels {
		p.addErr(ErrTooLarge, "Labels", "are more than %d", maxLabels)
		return
	}
	for key, value := range n.Labels {
		if key == "" || len(key) > maxLabel || len(value) > maxLabel || !isLine(key) || !isLine(value) {
			p.add("Labels", "keys and values have to be one line of at most %d bytes, and a key is not empty", maxLabel)
			return
		}
	}
}

func (p *problems) data(data map[string]any, check *dataCheck) {
	before := len(*p)
	for key, value := range data {
		if err := check.count(key); err != nil {
			p.add("Data", "a key %v", err)
		} else if err := check.value(value, 1); errors.Is(err, errDataTooMuch) {
			check.over = true // for size to report
			break
		} else if err != nil {
			p.add(dataField(key), "%v", err)
		}
	}
	p.sort(before)
}

// dataField names the entry, unless its key could be more than a name.
func dataField(key string) string {
	if !validToken(key, 64, "_ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return "Data"
	}
	return fmt.Sprintf("Data[%s]", key)
}
