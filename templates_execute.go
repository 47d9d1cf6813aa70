package notify

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/template/parse"
	"unicode/utf8"
)

// maxPart bounds the output of one template.
const maxPart = 1 << 20

// part is one parsed template file.
type part struct {
	file     string
	oneLine  bool
	template interface {
		Execute(w io.Writer, data any) error
	}
}

// errNoValue is a nil that a template would have printed; valueFunc refuses it.
var errNoValue = errors.New("no value")

const valueFunc = "_value"

// execute makes every part of the form.
func (f *form) execute(req RenderRequest) (parts, error) {
	data, err := plainData(req.Data)
	if err != nil {
		return nil, fmt.Errorf("notify: render: %w", err)
	}
	req.Data = data
	made := parts{}
	for name, one := range f.parts {
		if made[name], err = one.execute(req); err != nil {
			return nil, fmt.Errorf("notify: render: template %s: %w", one.file, err)
		}
	}
	return made, nil
}

func (p *part) execute(req RenderRequest) (string, error) {
	var out cappedBuilder
	if err := p.template.Execute(&out, req); err != nil {
		return "", withoutValues(err)
	}
	made := strings.TrimSpace(out.String())
	switch {
	case !utf8.ValidString(made):
		return "", errors.New("made invalid UTF-8")
	case p.oneLine && !isLine(made):
		return "", errors.New("has to make one line, without control characters")
	}
	return made, nil
}

// withoutValues keeps of an execution's error where it happened and drops what
// may quote the data.
func withoutValues(err error) error {
	if errors.Is(err, errPartTooLarge) {
		return errPartTooLarge
	}
	problem := "cannot be executed on this notification's data"
	switch text := err.Error(); {
	case errors.Is(err, errNoValue):
		problem = "the value is null; test for it with {{with}}"
	case strings.Contains(text, "map has no entry for key"):
		problem = "the data has no such entry"
	case strings.Contains(text, "can't evaluate field"):
		problem = "there is no such field"
	}
	// "template: FILE:LINE:COLUMN: executing NAME at <SOURCE>: ...": up to
	// there, all is from the template.
	where, _, ok := strings.Cut(err.Error(), ">: ")
	where, source, found := strings.Cut(where, " at <")
	if !ok || !found {
		return errors.New(problem)
	}
	where, _, _ = strings.Cut(strings.TrimPrefix(where, "template: "), ": executing ")
	if source == valueFunc {
		return fmt.Errorf("at %s: %s", where, problem)
	}
	return fmt.Errorf("at %s: %.80s: %s", where, source, problem)
}

var errPartTooLarge = fmt.Errorf("%w: more than 1 MiB came out", ErrTooLarge)

// cappedBuilder fails beyond maxPart, which also ends the execution.
type cappedBuilder struct{ strings.Builder }

func (b *cappedBuilder) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxPart {
		return 0, errPartTooLarge
	}
	return b.Builder.Write(p)
}

func (b *cappedBuilder) WriteString(s string) (int, error) {
	if b.Len()+len(s) > maxPart {
		return 0, errPartTooLarge
	}
	return b.Builder.WriteString(s)
}

// linker goes through the trees that a template reaches. It finds partials
// that do not exist, which text/template would only see when it executes, and
// makes printing a nil an error, where it would print "<no value>" or, in
// HTML, nothing.
type linker struct {
	lookup func(name string) *parse.Tree
	seen   map[string]bool
}

func (l *linker) tree(name string) error {
	if l.seen[name] {
		return nil
	}
	l.seen[name] = true
	tree := l.lookup(name)
	if tree == nil || tree.Root == nil {
		return fmt.Errorf("there is no template %q: partials begin with '_', and go:embed leaves those out unless it says all", name)
	}
	return l.list(tree.Root)
}

func (l *linker) list(list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	var errs []error
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.ActionNode:
			guardNil(n.Pipe)
		case *parse.TemplateNode:
			errs = append(errs, l.tree(n.Name))
		case *parse.IfNode:
			errs = append(errs, l.list(n.List), l.list(n.ElseList))
		case *parse.WithNode:
			errs = append(errs, l.list(n.List), l.list(n.ElseList))
		case *parse.RangeNode:
			errs = append(errs, l.list(n.List), l.list(n.ElseList))
		}
	}
	return errors.Join(errs...)
}

// guardNil turns {{.Data.x | f}} into {{.Data.x | _value | f}}.
func guardNil(pipe *parse.PipeNode) {
	if len(pipe.Decl) > 0 {
		return // {{$x := ...}} prints nothing
	}
	first := pipe.Cmds[0]
	if name, ok := first.Args[0].(*parse.IdentifierNode); ok && (name.Ident == "html" || name.Ident == "urlquery" || name.Ident == "js") {
		return // html/template wants its escapers last
	}
	guard := &parse.CommandNode{
		NodeType: parse.NodeCommand,
		Pos:      first.Pos,
		Args:     []parse.Node{parse.NewIdentifier(valueFunc).SetPos(first.Pos).SetTree(nil)},
	}
	pipe.Cmds = append([]*parse.CommandNode{first, guard}, pipe.Cmds[1:]...)
}
