package notify

import (
	"errors"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	texttemplate "text/template"
	"text/template/parse"
	"unicode/utf8"
)

const templateSuffix = ".tmpl"

// newTemplates parses every *.tmpl file of fsys and reports all problems at
// once, each with the file's path as its field. Other files are ignored. A nil
// fsys has no templates.
func newTemplates(fsys fs.FS) (*templates, error) {
	if fsys == nil {
		return nil, nil
	}
	p := &templateParser{sources: map[string]string{}, broken: map[string]bool{}}
	p.read(fsys)
	t := &templates{forms: map[string]map[string]map[Channel]*form{}}
	for _, dir := range p.dirs() {
		p.forms(t, dir)
	}
	return t, p.err()
}

type templateParser struct {
	problems
	sources map[string]string // by path
	broken  map[string]bool   // paths with a problem of their own
}

func (p *templateParser) fail(file, format string, args ...any) {
	p.broken[file] = true
	p.add(file, format, args...)
}

// read loads the files and checks each by itself.
func (p *templateParser) read(fsys fs.FS) {
	_ = fs.WalkDir(fsys, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			p.fail(file, "cannot be read: %v", err)
		case entry.IsDir() && file != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(file) != templateSuffix:
		default:
			source, err := fs.ReadFile(fsys, file)
			if err != nil {
				p.fail(file, "cannot be read: %v", err)
				return nil
			}
			p.sources[file] = string(source)
			p.check(file, string(source))
		}
		return nil
	})
}

func (p *templateParser) check(file, source string) {
	if !utf8.ValidString(source) {
		p.fail(file, "is not valid UTF-8")
		return
	}
	if _, err := newTextTemplate(file).Parse(source); err != nil {
		p.fail(file, "%v", err)
	}
	if isPartial(file) {
		return
	}
	channel, part, ok := formFile(file)
	switch {
	case path.Dir(file) == ".":
		p.fail(file, "lies at the top; put it in a directory, which names the template")
	case !ok:
		p.fail(file, "a template file is named <channel>.<part>.tmpl, and a partial begins with '_'")
	case channelParts(channel) == nil:
		p.fail(file, "there are templates for email, sms, push and chat; for another channel use notify.Render")
	case !slices.Contains(channelParts(channel), part):
		p.fail(file, "the parts of %s are %s", channel, strings.Join(channelParts(channel), ", "))
	}
}

func isPartial(file string) bool { return strings.HasPrefix(path.Base(file), "_") }

func formFile(file string) (channel Channel, part string, ok bool) {
	before, part, ok := strings.Cut(strings.TrimSuffix(path.Base(file), templateSuffix), ".")
	return Channel(before), part, ok
}

// dirs returns the directories with template files, in order.
func (p *templateParser) dirs() []string {
	var dirs []string
	for _, file := range slices.Sorted(maps.Keys(p.sources)) {
		if !isPartial(file) {
			dirs = append(dirs, path.Dir(file))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// forms parses a directory's templates together with their partials.
func (p *templateParser) forms(t *templates, dir string) {
	partials, ok := p.partials(dir)
	if !ok {
		return
	}
	for _, channel := range []Channel{EmailChannel, SMSChannel, PushChannel, ChatChannel} {
		f := form{channel: channel, parts: map[string]*part{}}
		for _, name := range channelParts(channel) {
			file := path.Join(dir, string(channel)+"."+name+templateSuffix)
			source, ok := p.sources[file]
			if !ok || p.broken[file] {
				continue
			}
			made, err := newPart(file, source, name, partials)
			if err != nil {
				p.fail(file, "%v", err)
				continue
			}
			f.parts[name] = made
		}
		if len(f.parts) == 0 {
			continue
		}
		if err := t.add(dir, f); err != nil {
			p.add(dir, "%v", err)
		}
	}
}

type partial struct{ name, source string }

// partials returns those of the directory and above, the outermost first, so
// that an inner one of the same name wins. It is false if one is broken.
func (p *templateParser) partials(dir string) (found []partial, ok bool) {
	if dir != "." {
		if found, ok = p.partials(path.Dir(dir)); !ok {
			return nil, false
		}
	}
	for _, file := range slices.Sorted(maps.Keys(p.sources)) {
		if path.Dir(file) != dir || !isPartial(file) {
			continue
		}
		if p.broken[file] {
			return nil, false
		}
		found = append(found, partial{path.Base(file), p.sources[file]})
	}
	return found, true
}

func newTextTemplate(name string) *texttemplate.Template {
	return texttemplate.New(name).Option("missingkey=error").Funcs(templateFuncs())
}

// newPart parses one part: an e-mail's html escapes by context, and everything
// else is plain text.
func newPart(file, source, name string, partials []partial) (*part, error) {
	if name == "html" {
		return newHTMLPart(file, source, partials)
	}
	t := newTextTemplate(file)
	err := parseInto(t, file, source, partials, func(t *texttemplate.Template) *parse.Tree { return t.Tree })
	if err != nil {
		return nil, err
	}
	return &part{file: file, oneLine: oneLine(name), template: t}, nil
}

func newHTMLPart(file, source string, partials []partial) (*part, error) {
	t := htmltemplate.New(file).Option("missingkey=error").Funcs(templateFuncs())
	err := parseInto(t, file, source, partials, func(t *htmltemplate.Template) *parse.Tree { return t.Tree })
	if err != nil {
		return nil, err
	}
	// html/template looks at contexts when it first executes: a mistake there
	// should come from New and not from the first mail.
	var escaping *htmltemplate.Error
	if err := t.Execute(refuse{}, RenderRequest{}); errors.As(err, &escaping) {
		return nil, escaping
	}
	return &part{file: file, template: t}, nil
}

// template is a template of text/template or of html/template.
type template[T any] interface {
	*texttemplate.Template | *htmltemplate.Template
	New(name string) T
	Parse(source string) (T, error)
	Lookup(name string) T
}

// parseInto parses a file and its partials into t, and links them.
func parseInto[T template[T]](t T, file, source string, partials []partial, treeOf func(T) *parse.Tree) error {
	for _, shared := range partials {
		if _, err := t.New(shared.name).Parse(shared.source); err != nil {
			return err
		}
	}
	if _, err := t.Parse(source); err != nil {
		return err
	}
	link := linker{seen: map[string]bool{}, lookup: func(name string) *parse.Tree {
		if found := t.Lookup(name); found != nil {
			return treeOf(found)
		}
		return nil
	}}
	return link.tree(file)
}

// refuse is a writer that ends an execution with its first output.
type refuse struct{}

func (refuse) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
