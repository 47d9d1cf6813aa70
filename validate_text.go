package notify

import (
	"fmt"
	"mime"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// validChannelName tells whether c is 1 to 32 characters of a-z, 0-9, '-' and
// '_'.
func validChannelName(c Channel) bool { return validToken(string(c), 32, "-_") }

// validProviderName tells whether name is 1 to 64 characters of a-z, 0-9, '-',
// '_' and '.'.
func validProviderName(name string) bool { return validToken(name, 64, "-_.") }

func validToken(s string, most int, marks string) bool {
	if s == "" || len(s) > most {
		return false
	}
	for _, b := range []byte(s) {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && strings.IndexByte(marks, b) < 0 {
			return false
		}
	}
	return true
}

// validName tells whether an observer or a guard may have the name: 1 to 128
// bytes of printable characters without spaces.
func validName(name string) bool {
	if name == "" || len(name) > 128 || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) || r == ' ' {
			return false
		}
	}
	return true
}

// isLine tells whether s may stand in one line of a header: valid UTF-8
// without control characters and line separators. The empty string may.
func isLine(s string) bool {
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= utf8.RuneSelf {
			return utf8.ValidString(s[i:]) && strings.IndexFunc(s[i:], breaksLine) < 0
		}
		if b < ' ' || b == 0x7f {
			return false
		}
	}
	return true
}

func breaksLine(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// isText tells whether s is valid UTF-8 without control characters but tabs
// and line ends.
func isText(s string) bool {
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= utf8.RuneSelf {
			return utf8.ValidString(s[i:]) && strings.IndexFunc(s[i:], notInText) < 0
		}
		if b < ' ' && b != '\t' && b != '\n' && b != '\r' || b == 0x7f {
			return false
		}
	}
	return true
}

func notInText(r rune) bool {
	return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r'
}

// line checks a field that has to be one line of at most so many bytes; 0 is
// no limit.
func (p *problems) line(field, value string, most int) {
	if most > 0 && len(value) > most {
		p.addErr(ErrTooLarge, field, "is longer than %d bytes", most)
	}
	if !isLine(value) {
		p.add(field, "has to be one line of valid UTF-8, without control characters")
	}
}

// text checks a field that may have several lines.
func (p *problems) text(field, value string) {
	if !isText(value) {
		p.add(field, "has to be valid UTF-8, without control characters other than tabs and line ends")
	}
}

func (p *problems) address(field string, channel Channel, address string) {
	if problem := addressProblem(channel, address); problem != "" {
		p.add(field, "%s", problem)
	}
}

// url checks an absolute URL: http, https, or a scheme of the host's own app.
func (p *problems) url(field, value string) {
	if value == "" {
		return
	}
	p.line(field, value, 2048)
	parsed, err := url.Parse(value)
	bad := err != nil || strings.ContainsFunc(value, unicode.IsSpace)
	if !bad {
		switch parsed.Scheme { // url.Parse made it lower case
		case "http", "https":
			bad = parsed.Hostname() == ""
		case "", "javascript", "vbscript", "data", "file", "blob", "about":
			bad = true
		}
	}
	if bad {
		p.add(field, "has to be an absolute URL: http, https, or your app's own scheme")
	}
}

// maxHeaderURL leaves room for a field's name in the 998 bytes that RFC 5322,
// section 2.1.1, allows a line.
const maxHeaderURL = 900

// unsubscribeURL checks what is put between angle brackets in a header
// (RFC 2369), for a POST by https (RFC 8058).
func (p *problems) unsubscribeURL(field, value string) {
	if value == "" {
		return
	}
	parsed, err := url.Parse(value)
	unsafe := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>\"\\", r) }
	if err != nil || parsed.Scheme != "https" || parsed.Hostname() == "" || parsed.User != nil ||
		strings.ContainsFunc(value, unsafe) || len(value) > maxHeaderURL {
		p.add(field, "has to be an https URL in ASCII, percent-encoded, of at most %d bytes", maxHeaderURL)
	}
}

func (p *problems) attachment(field string, i int, a Attachment) {
	at := func(name string) string { return fmt.Sprintf("%s[%d]%s", field, i, name) }
	if (len(a.Data) == 0) == (a.Ref == "") {
		p.add(at(""), "exactly one of Data and Ref is set")
	}
	if a.Name == "" {
		p.add(at(".Name"), "is required")
	}
	p.line(at(".Name"), a.Name, 255)
	p.line(at(".Ref"), a.Ref, 1024)
	p.line(at(".ContentType"), a.ContentType, 255)
	if a.ContentType == "" {
		return
	}
	if media, _, err := mime.ParseMediaType(a.ContentType); err != nil || !strings.Contains(media, "/") {
		p.add(at(".ContentType"), "has to be a media type such as application/pdf")
	}
}
