package notify

import (
	"fmt"
	"path"
	"strings"
)

// templates are the parsed templates of [Config.Templates]. They are
// immutable, and a nil *templates has none.
//
// A template is a directory, and its name is the directory's path. In it, a
// file <channel>.<part>.tmpl makes one part of one channel's message:
//
//	order/shipped/email.subject.tmpl
//	order/shipped/email.text.tmpl
//	order/shipped/email.html.tmpl
//	order/shipped/sms.text.tmpl
//	order/shipped/de/email.subject.tmpl
//	order/shipped/de/email.text.tmpl
//	order/_footer.tmpl
//
// The files of one channel in one directory are a form. The recipient's locale
// chooses it: de-AT is looked for in de-at, then de, then the directory itself,
// whatever the case of the letters. A form is never mixed from two locales;
// what it leaves out comes from [Content].
//
// A file whose name begins with '_' is a partial for the templates of its
// directory and below: {{template "_footer.tmpl" .}}. A plain go:embed of a
// directory leaves such files out; write go:embed all:templates.
type templates struct {
	// forms is keyed by template name, locale in lower case, and channel.
	forms map[string]map[string]map[Channel]*form
}

// form is what a template has for one channel in one locale.
type form struct {
	channel Channel
	// locale is as the directory spells it; empty is none.
	locale string
	parts  map[string]*part
}

// channelParts names the parts that a channel's form may have.
func channelParts(c Channel) []string {
	switch c {
	case EmailChannel:
		return []string{"subject", "text", "html"}
	case SMSChannel:
		return []string{"text"}
	case PushChannel:
		return []string{"title", "body", "url"}
	case ChatChannel:
		return []string{"title", "text", "url"}
	default:
		return nil
	}
}

// oneLine tells whether a part has to come out as one line.
func oneLine(part string) bool { return part == "subject" || part == "title" || part == "url" }

// known tells whether there is a template of that name, for any channel.
func (t *templates) known(name string) bool { return t != nil && t.forms[name] != nil }

// has tells whether the template has a form for the channel that a recipient
// of that locale gets.
func (t *templates) has(name string, channel Channel, locale string) bool {
	return t.lookup(name, channel, locale) != nil
}

func (t *templates) find(name string, channel Channel, locale string) (*form, error) {
	if !t.known(name) {
		return nil, fmt.Errorf("notify: render: the template: %w; add it to Config.Templates", ErrNotFound)
	}
	found := t.lookup(name, channel, locale)
	if found == nil {
		return nil, fmt.Errorf("notify: render: the template's form for channel %s: %w; add %s/%s.<part>.tmpl", channel, ErrNotFound, name, channel)
	}
	return found, nil
}

// lookup follows RFC 4647, section 3.4: the tag is cut from its end until
// something matches.
func (t *templates) lookup(name string, channel Channel, locale string) *form {
	if t == nil {
		return nil
	}
	locales := t.forms[name]
	for tag := localeKey(locale); tag != ""; {
		if found := locales[tag][channel]; found != nil {
			return found
		}
		tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
		if n := len(tag); n > 1 && tag[n-2] == '-' {
			tag = tag[:n-2] // what a single character introduces was just cut
		}
	}
	return locales[""][channel]
}

// add enters a form under its directory, and, if the directory is named like
// a locale, under its parent too. Which of the two it is, whoever asks for it
// knows.
func (t *templates) add(dir string, f form) error {
	if parent, base := path.Split(dir); parent != "" && isLocale(base) {
		localized := f
		localized.locale = base
		if err := t.enter(path.Clean(parent), localeKey(base), &localized); err != nil {
			return err
		}
	}
	return t.enter(dir, "", &f)
}

func (t *templates) enter(name, locale string, f *form) error {
	if t.forms[name] == nil {
		t.forms[name] = map[string]map[Channel]*form{}
	}
	if t.forms[name][locale] == nil {
		t.forms[name][locale] = map[Channel]*form{}
	}
	if t.forms[name][locale][f.channel] != nil {
		return fmt.Errorf("another directory is for the same locale")
	}
	t.forms[name][locale][f.channel] = f
	return nil
}

func localeKey(tag string) string { return strings.ToLower(strings.ReplaceAll(tag, "_", "-")) }

// isLocale tells whether a directory's name has the shape of a BCP 47 tag: a
// language of 2 or 3 letters, then subtags of up to 8 letters and digits.
func isLocale(tag string) bool {
	for i, subtag := range strings.Split(localeKey(tag), "-") {
		if len(subtag) < 1 || len(subtag) > 8 || i == 0 && (len(subtag) < 2 || len(subtag) > 3) {
			return false
		}
		for _, b := range []byte(subtag) {
			if (b < 'a' || b > 'z') && (i == 0 || b < '0' || b > '9') {
				return false
			}
		}
	}
	return true
}
