package notify

import (
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

// renderOne executes a template of one file and returns that part.
func renderOne(t testing.TB, file, source string, data map[string]any) (string, error) {
	t.Helper()
	parsed, err := newTemplates(files("x/"+file+".tmpl", source))
	require.NoError(t, err)
	channel, part, _ := strings.Cut(file, ".")
	found, err := parsed.find("x", Channel(channel), "")
	require.NoError(t, err)
	made, err := found.execute(RenderRequest{Channel: Channel(channel), Data: data, Recipient: Recipient{Name: "Ann"}})
	return made[part], err
}

func TestTemplatesLocale(t *testing.T) {
	t.Parallel()
	all, err := newTemplates(files(
		"a/b/sms.text.tmpl", "none",
		"a/b/de/sms.text.tmpl", "de",
		"a/b/zh-Hant/sms.text.tmpl", "zh-Hant",
		"a/b/pt-BR/push.body.tmpl", "pt-BR",
		"only/fr/sms.text.tmpl", "fr",
		"a/new/sms.text.tmpl", "a template, though its name could be a language",
		"README.md", "ignored",
		".git/x.tmpl", "ignored too",
	))
	require.NoError(t, err)
	tests := []struct {
		name    string
		channel Channel
		locale  string
		want    string
	}{
		{"a/b", SMSChannel, "", "none"},
		{"a/b", SMSChannel, "de-AT", "de"},
		{"a/b", SMSChannel, "DE_at", "de"},
		{"a/b", SMSChannel, "de-x-private", "de"},
		{"a/b", SMSChannel, "den", "none"},
		{"a/b", SMSChannel, "zh-hant-tw", "zh-Hant"},
		{"a/b", SMSChannel, "zh-TW", "none"},
		{"a/b", SMSChannel, "pt-BR", "none"},
		{"a/b", SMSChannel, "../b", "none"},
		{"a/b", SMSChannel, "-", "none"},
		{"a/b", PushChannel, "pt-BR", "pt-BR"},
		{"a/b", PushChannel, "pt", ""},
		{"a/b", EmailChannel, "de", ""},
		{"a/b/de", SMSChannel, "", "de"},
		{"a/new", SMSChannel, "", "a template, though its name could be a language"},
		{"only", SMSChannel, "fr-CA", "fr"},
		{"only", SMSChannel, "", ""},
		{"a", SMSChannel, "", ""},
		{"", SMSChannel, "", ""},
	}
	for _, test := range tests {
		require.Equal(t, test.want != "", all.has(test.name, test.channel, test.locale), "%+v", test)
		if test.want == "" {
			continue
		}
		m, _, err := renderDefault(RenderRequest{
			Channel: test.channel, Address: "+49301234567", Template: test.name, Recipient: Recipient{Locale: test.locale},
		}, all)
		require.NoError(t, err)
		switch m := m.(type) {
		case SMS:
			require.Equal(t, test.want, m.Text, "%+v", test)
		case Push:
			require.Equal(t, test.want, m.Body, "%+v", test)
		}
	}
	require.True(t, all.known("only"))
	require.False(t, all.known("onl"))
	require.False(t, (*templates)(nil).known("a"))
	require.False(t, (*templates)(nil).has("a", SMSChannel, ""))

	none, err := newTemplates(nil)
	require.NoError(t, err)
	require.False(t, none.known("a"))
}

func TestTemplatesReportEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := newTemplates(files(
		"sms.text.tmpl", "at the top",
		"a/sms.tmpl", "no part",
		"a/pager.text.tmpl", "no such channel",
		"a/sms.body.tmpl", "no such part",
		"a/sms.text.tmpl", "{{.Data.x",
		"a/chat.text.tmpl", "{{nosuchfunc}}",
		"a/push.body.tmpl", "\xff",
		"a/push.title.tmpl", `{{template "_gone.tmpl" .}}`,
		"a/email.html.tmpl", `<a href="{{if .Data.x}}"{{end}}>`,
		"b/_broken.tmpl", "{{",
		"b/sms.text.tmpl", `{{template "_broken.tmpl"}}`,
		"c/de-AT/sms.text.tmpl", "one",
		"c/de-at/sms.text.tmpl", "two",
		"d/sms.text.tmpl", "fine",
	))
	want := map[string]string{
		"sms.text.tmpl":     "put it in a directory",
		"a/sms.tmpl":        "<channel>.<part>.tmpl",
		"a/pager.text.tmpl": "notify.Render",
		"a/sms.body.tmpl":   "the parts of sms are text",
		"a/sms.text.tmpl":   "unclosed action",
		"a/chat.text.tmpl":  `function "nosuchfunc" not defined`,
		"a/push.body.tmpl":  "UTF-8",
		"a/push.title.tmpl": "go:embed",
		"a/email.html.tmpl": "different contexts",
		"b/_broken.tmpl":    "unclosed action",
		"c/de-at":           "same locale",
	}
	got := map[string]string{}
	for _, field := range FieldErrors(err) {
		require.NotContains(t, got, field.Field)
		got[field.Field] = field.Problem
	}
	require.Len(t, got, len(want), "%v", err)
	for file, problem := range want {
		require.Contains(t, got[file], problem, file)
	}
}

func TestTemplatesPartials(t *testing.T) {
	t.Parallel()
	all, err := newTemplates(files(
		"_sign.tmpl", "outer",
		"_layout.tmpl", `<body>{{template "content" .}}</body>`,
		"a/_sign.tmpl", "inner {{.Recipient.Name}}",
		"a/email.html.tmpl", `{{define "content"}}<i>{{template "_sign.tmpl" .}}</i>{{end}}{{template "_layout.tmpl" .}}`,
		"a/email.text.tmpl", `{{template "_sign.tmpl" .}}`,
		"b/email.text.tmpl", `{{block "x" .}}{{template "_sign.tmpl" .}}{{end}}`,
	))
	require.NoError(t, err)
	req := RenderRequest{Channel: EmailChannel, Address: "a@example.com", Template: "a", Recipient: Recipient{Name: "A&B"}}
	m, _, err := renderDefault(req, all)
	require.NoError(t, err)
	require.Equal(t, "<body><i>inner A&amp;B</i></body>", m.(Email).HTML)
	require.Equal(t, "inner A&B", m.(Email).Text)
	req.Template = "b"
	m, _, err = renderDefault(req, all)
	require.NoError(t, err)
	require.Equal(t, "outer", m.(Email).Text)
}

func TestTemplateExecution(t *testing.T) {
	t.Parallel()
	const secret = "s3cret"
	data := map[string]any{
		"x": secret, "null": nil, "deep": map[string]any{"null": nil}, "list": []any{nil}, "lines": "a\r\nBcc: b", "n": 7, "nul": "\x00",
	}
	tests := []struct {
		name, file, source string
		want, problem      string
		is                 error
	}{
		{name: "trimmed", file: "email.subject", source: " \n{{.Data.x}}\r\n", want: secret},
		{name: "optional by index", file: "sms.text", source: `{{with index .Data "gone"}}{{.}}{{else}}none{{end}}`, want: "none"},
		{name: "optional null", file: "sms.text", source: `{{if .Data.null}}no{{else}}none{{end}}`, want: "none"},
		{name: "urlquery", file: "email.html", source: `<a href="/?{{.Data.lines | urlquery}}">`, want: `<a href="/?a%0D%0ABcc%3A&#43;b">`},
		{name: "html last", file: "email.html", source: `{{.Recipient.Name | html}}{{html .Data.x}}`, want: "Ann" + secret},
		{name: "number in a script", file: "email.html", source: `<script>f({{.Data.n}})</script>`, want: "<script>f( 7 )</script>"},
		{name: "subject of two lines", file: "email.subject", source: "{{.Data.lines}}", problem: "has to make one line"},
		{name: "title of two lines", file: "push.title", source: "a\nb", problem: "has to make one line"},
		{name: "missing", file: "sms.text", source: "{{.Data.gone}}", problem: "the data has no such entry"},
		{name: "missing in html", file: "email.html", source: "{{.Data.gone}}", problem: "the data has no such entry"},
		{name: "missing, deep", file: "sms.text", source: "{{.Data.deep.gone}}", problem: "the data has no such entry"},
		{name: "missing below null", file: "sms.text", source: "{{.Data.null.gone}}", problem: "cannot be executed"},
		{name: "missing in a condition", file: "sms.text", source: "{{if .Data.gone}}{{end}}", problem: "the data has no such entry"},
		{name: "null", file: "sms.text", source: "{{.Data.null}}", problem: "null"},
		{name: "null in html", file: "email.html", source: "<p>{{.Data.deep.null}}", problem: "null"},
		{name: "null in a list", file: "sms.text", source: "{{range .Data.list}}{{.}}{{end}}", problem: "null"},
		{name: "null through a variable", file: "sms.text", source: "{{$x := .Data.null}}{{$x}}", problem: "null"},
		{name: "null by index", file: "sms.text", source: `{{index .Data "gone"}}`, problem: "null"},
		{name: "null in a partial", file: "sms.text", source: `{{define "p"}}{{.Data.null}}{{end}}{{template "p" .}}`, problem: "null"},
		{name: "no such field", file: "sms.text", source: "{{.Nope}}", problem: "no such field"},
		{name: "field of a string", file: "sms.text", source: "{{.Data.x.y}}", problem: "no such field"},
		{name: "bad index", file: "sms.text", source: "{{index .Data.x 99}}", problem: "cannot be executed"},
		{name: "incomparable", file: "sms.text", source: "{{if lt .Data.x 1}}{{end}}", problem: "cannot be executed"},
		{name: "cut in a character", file: "sms.text", source: `{{slice "ä" 0 1}}`, problem: "invalid UTF-8"},
		{name: "endless", file: "sms.text", source: `{{define "r"}}0123456789012345678901234567890123456789{{template "r"}}{{end}}{{template "r"}}`, problem: "1 MiB", is: ErrTooLarge},
		{name: "endless html", file: "email.html", source: `{{range 99999999}}0123456789{{$.Recipient.Name}}{{end}}`, problem: "1 MiB", is: ErrTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			made, err := renderOne(t, test.file, test.source, data)
			if test.problem == "" {
				require.NoError(t, err)
				require.Equal(t, test.want, made)
				return
			}
			require.ErrorContains(t, err, "template x/"+test.file+".tmpl: ")
			require.ErrorContains(t, err, test.problem)
			require.NotContains(t, err.Error(), secret)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
		})
	}
	t.Run("NUL", func(t *testing.T) {
		t.Parallel()
		all, err := newTemplates(files("x/sms.text.tmpl", "{{.Data.nul}}a"))
		require.NoError(t, err)
		_, _, err = renderDefault(RenderRequest{Channel: SMSChannel, Address: "+49301234567", Template: "x", Data: data}, all)
		require.ErrorContains(t, err, "SMS.Text")
	})
}

// Whatever a template and its data are: no panic, no control character in a
// header, no data value in an error.
func FuzzTemplates(f *testing.F) {
	f.Add("{{.Data.x}}", "a\r\nBcc: b@example.com", "de-AT")
	f.Add("{{.Data.x | printf \"%q\" | html}}", "<script>", "")
	f.Add("{{index .Data.list .Data.n}}{{.Data.null}}", "\xff", "x-y")
	f.Add("{{define \"a\"}}{{with .Data}}{{.x}}{{end}}{{end}}{{template \"a\" .}}", "\u2028", "zh-Hant-TW")
	f.Add("<a href='{{.Data.x}}' onclick='f({{.Data}})'>", "javascript:alert(1)", "1-")
	const secret = "5up3rs3cr3t"
	f.Fuzz(func(t *testing.T, source, value, locale string) {
		if strings.Contains(source, "range") || strings.Contains(source, secret) || len(source) > 1000 {
			return // a range over a number may run for ever, by the template's own wish
		}
		all, err := newTemplates(files("x/email.subject.tmpl", source, "x/email.html.tmpl", source, "x/de/sms.text.tmpl", source))
		if err != nil {
			require.NotEmpty(t, FieldErrors(err))
			return
		}
		req := RenderRequest{
			Channel: EmailChannel, Address: "a@example.com", Template: "x", Recipient: Recipient{Locale: locale},
			Data: map[string]any{"x": value + secret, "n": 99, "null": nil, "list": []any{secret}},
		}
		m, _, err := renderDefault(req, all)
		if err != nil {
			require.NotContains(t, err.Error(), secret)
			return
		}
		email := m.(Email)
		require.False(t, strings.ContainsAny(email.Subject, "\r\n\x00"))
		require.True(t, utf8.ValidString(email.Subject+email.HTML))
		if req.Channel = SMSChannel; all.has("x", SMSChannel, locale) {
			_, _, err = renderDefault(req, all)
			require.ErrorContains(t, err, "SMS.To")
		}
	})
}

func TestNewNamesATemplateFile(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Templates: files("a/email.subjekt.tmpl", "x", "a/sms.text.tmpl", "{{")})
	var fields []string
	for _, f := range FieldErrors(err) {
		fields = append(fields, f.Field)
	}
	require.ElementsMatch(t, []string{"Config.Templates[a/email.subjekt.tmpl]", "Config.Templates[a/sms.text.tmpl]"}, fields)
}
