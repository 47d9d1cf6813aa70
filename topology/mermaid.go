package topology

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mermaid draws the whole as a Mermaid flowchart: the way of a notification
// through the pipeline, the events, the observers, and what they raise in turn.
// A dotted arrow is what was seen and not declared.
func (g *Graph) Mermaid() string {
	d := newDrawing("flowchart LR")
	d.node("send", "([%s])", "Send")
	d.node("route", "[%s]", "route")
	d.edge("send", "-->", "", "route")
	d.node("events", "[(%s)]", "events")
	d.edge("route", "-->", "", "events")
	for i, c := range g.Channels {
		deliver := "c" + strconv.Itoa(i)
		d.node(deliver, "[%s]", "deliver "+c.Name)
		d.edge("route", "-->", "", deliver)
		for j, p := range c.Providers {
			provider := deliver + "p" + strconv.Itoa(j)
			d.node(provider, "{{%s}}", p.Name)
			d.edge(deliver, "-->", "", provider)
		}
		d.edge(deliver, "-->", "", "events")
	}
	for i, o := range g.Observers {
		observer := "o" + strconv.Itoa(i)
		d.node(observer, "[[%s]]", o.Name)
		d.edge("events", "-->", g.few(o), observer)
		for _, out := range o.Emits {
			d.edge(observer, out.arrow(), short(out.Type), "events")
		}
		if o.Sends != nil {
			d.edge(observer, o.Sends.arrow(), "", "send")
		}
	}
	return d.String()
}

// EventMermaid draws one event as a Mermaid flowchart: who raises it, who
// handles it, and what they raise in turn. It is empty for a type that the graph
// does not have.
func (g *Graph) EventMermaid(eventType string) string {
	e, ok := g.Event(eventType)
	if !ok {
		return ""
	}
	d := newDrawing("flowchart LR")
	d.node("event", "([%s])", short(e.Type))
	for i, step := range e.RaisedBy {
		by := "s" + strconv.Itoa(i)
		d.node(by, "[%s]", step)
		d.edge(by, "-->", "", "event")
	}
	for i, o := range g.Observers {
		observer := "o" + strconv.Itoa(i)
		emits := slices.IndexFunc(o.Emits, func(out Output) bool { return out.Type == eventType })
		if emits < 0 && !o.Gets(eventType) {
			continue
		}
		d.node(observer, "[[%s]]", o.Name)
		if emits >= 0 {
			d.edge(observer, o.Emits[emits].arrow(), "", "event")
		}
		if !o.Gets(eventType) {
			continue
		}
		d.edge("event", "-->", "", observer)
		for j, out := range o.Emits {
			if j == emits {
				continue
			}
			next := observer + "e" + strconv.Itoa(j)
			d.node(next, "([%s])", short(out.Type))
			d.edge(observer, out.arrow(), "", next)
		}
		if o.Sends != nil {
			d.node(observer+"n", "([%s])", "a notification")
			d.edge(observer, o.Sends.arrow(), "", observer+"n")
		}
	}
	return d.String()
}

// fewEvents is how many events an arrow names.
const fewEvents = 4

// few names the events that an observer gets, if they are few.
func (g *Graph) few(o Observer) string {
	if o.All() {
		return "all events"
	}
	var names []string
	for _, e := range g.Events {
		if o.Gets(e.Type) {
			names = append(names, short(e.Type))
		}
	}
	if len(names) > fewEvents {
		return fmt.Sprintf("%d events", len(names))
	}
	return strings.Join(names, ", ")
}

// short is an event's type as diagrams have it: without the prefix and the
// version of the vocabulary.
func short(eventType string) string {
	rest, own := strings.CutPrefix(eventType, "notify.")
	if !own {
		return eventType
	}
	return strings.TrimSuffix(rest, ".v1")
}

func (o Output) arrow() string {
	if o.Declared {
		return "-->"
	}
	return "-.->"
}

// drawing is a diagram that is being drawn.
type drawing struct{ strings.Builder }

func newDrawing(kind string) *drawing {
	d := new(drawing)
	d.WriteString(kind + "\n")
	return d
}

// node adds a node in a shape, such as "[%s]".
func (d *drawing) node(id, shape, label string) {
	fmt.Fprintf(d, "    %s"+shape+"\n", id, quoted(label))
}

func (d *drawing) edge(from, arrow, label, to string) {
	if label != "" {
		arrow += "|" + quoted(label) + "|"
	}
	fmt.Fprintf(d, "    %s %s %s\n", from, arrow, to)
}

// quoted is a label that may hold what has a meaning in Mermaid. Entity codes
// are written with '#' there.
func quoted(label string) string {
	return `"` + strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "`", "#96;", "\n", " ").Replace(label) + `"`
}
