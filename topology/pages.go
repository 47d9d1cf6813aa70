package topology

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Pages returns Markdown pages about the graph, by file name: "topology.md", the whole;
// "events.md", each event with who raises and who handles it, and a diagram of those that an
// observer is for; "lifecycle.md", the states of a notification. They hold what the program
// declares, and not what one process has seen or where its source lies, so that they are the same
// wherever they are made.
func (g *Graph) Pages() map[string]string {
	declared := g.declared()
	return map[string]string{
		"topology.md":  declared.topologyPage(),
		"events.md":    declared.eventsPage(),
		"lifecycle.md": lifecyclePage(),
	}
}

// declared is the graph without what was only seen.
func (g *Graph) declared() *Graph {
	d := *g
	d.Observers = slices.Clone(g.Observers)
	for i := range d.Observers {
		o := &d.Observers[i]
		o.Emits = slices.DeleteFunc(slices.Clone(o.Emits), func(out Output) bool { return !out.Declared })
		if o.Sends != nil && !o.Sends.Declared {
			o.Sends = nil
		}
	}
	d.Events = slices.Clone(g.Events)
	for i := range d.Events {
		e := &d.Events[i]
		e.EmittedBy = slices.DeleteFunc(slices.Clone(e.EmittedBy), func(name string) bool {
			o, _ := d.Observer(name)
			return !slices.ContainsFunc(o.Emits, func(out Output) bool { return out.Type == e.Type })
		})
	}
	return &d
}

const generated = "<!-- Made by notifytest.RequireDocs. Do not edit. -->\n\n"

func (g *Graph) topologyPage() string {
	p := newPage("Topology")
	p.diagram(g.Mermaid())
	p.heading("Observers")
	p.table("observer", "handles", "by", "raises")
	for _, o := range g.Observers {
		for i, h := range o.Handlers {
			name, raises := "", ""
			if i == 0 {
				name, raises = o.Name, o.raises()
			}
			p.row(text(name), text(h.handles()), code(h.function()), text(raises))
		}
	}
	p.heading("Channels")
	p.table("channel", "providers, in their order")
	for _, c := range g.Channels {
		var names []string
		for _, provider := range c.Providers {
			names = append(names, text(provider.Name)+" ("+code(provider.Type)+")")
		}
		p.row(text(c.Name), strings.Join(names, ", "))
	}
	if len(g.Guards) > 0 {
		p.heading("Guards")
		fmt.Fprintf(p, "In the order in which they are asked: %s.\n", text(strings.Join(g.Guards, ", ")))
	}
	if len(g.Limits) > 0 {
		p.heading("Limits")
		p.table("phase", "stuck after", "then")
		for _, l := range g.Limits {
			p.row(text(l.Phase), text(l.After.String()), text(l.Then))
		}
	}
	p.heading("Events that nobody handles")
	unhandled := g.Unhandled()
	if len(unhandled) == 0 {
		p.WriteString("None.\n")
	}
	for _, eventType := range unhandled {
		fmt.Fprintf(p, "- %s\n", text(eventType))
	}
	return p.String()
}

func (g *Graph) eventsPage() string {
	p := newPage("Events")
	p.table("event", "raised by", "handled by")
	for _, e := range g.Events {
		p.row(text(e.Type), text(strings.Join(slices.Concat(e.RaisedBy, e.EmittedBy), ", ")), text(strings.Join(e.HandledBy, ", ")))
	}
	for _, e := range g.Events {
		if !g.chosen(e) {
			continue
		}
		p.heading(e.Type)
		p.WriteString(code(e.Struct) + "\n\n")
		p.diagram(g.EventMermaid(e.Type))
	}
	return p.String()
}

// chosen tells whether the event has more to it than that it happens: it is the
// host's own, or an observer is for it, rather than for all.
func (g *Graph) chosen(e Event) bool {
	return e.Own || len(e.EmittedBy) > 0 || slices.ContainsFunc(g.Observers, func(o Observer) bool { return o.Gets(e.Type) && !o.All() })
}

func lifecyclePage() string {
	p := newPage("The life of a notification")
	p.diagram(LifecycleMermaid())
	return p.String()
}

// handles says which events the handler gets.
func (h Handler) handles() string {
	if h.All {
		return "all events"
	}
	return strings.Join(h.Events, ", ")
}

// function is the function's name without the folders of its package.
func (h Handler) function() string { return path.Base(h.Function) }

// raises says what the observer raises.
func (o Observer) raises() string {
	var all []string
	for _, out := range o.Emits {
		all = append(all, out.Type)
	}
	if o.Sends != nil {
		all = append(all, "notifications")
	}
	return strings.Join(all, ", ")
}

// page is a page that is being written.
type page struct{ strings.Builder }

func newPage(title string) *page {
	p := new(page)
	p.WriteString(generated + "# " + title + "\n\n")
	return p
}

func (p *page) heading(title string) { p.WriteString("\n## " + text(title) + "\n\n") }

func (p *page) diagram(mermaid string) { p.WriteString("```mermaid\n" + mermaid + "```\n") }

func (p *page) table(columns ...string) {
	p.row(columns...)
	p.WriteString("|" + strings.Repeat(" --- |", len(columns)) + "\n")
}

// row adds a row of cells in Markdown.
func (p *page) row(cells ...string) {
	for _, cell := range cells {
		p.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
	}
	p.WriteString("|\n")
}

func code(s string) string { return "`" + s + "`" }

// text is a host's name where Markdown is read.
func text(s string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", "&lt;", "[", `\[`).Replace(s)
}
