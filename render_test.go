package notify

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testTemplates(t testing.TB) *templates {
	t.Helper()
	parsed, err := newTemplates(os.DirFS("testdata/templates"))
	require.NoError(t, err)
	return parsed
}

func TestRenderContent(t *testing.T) {
	t.Parallel()
	const link = "https://example.com/o/1"
	long := strings.Repeat("ä", 100)
	tests := []struct {
		name    string
		channel Channel
		address string
		content Content
		want    Message
	}{
		{
			"email", EmailChannel, "a@example.com",
			Content{
				Title: "T", Body: "B\n", HTML: "<p>", URL: link, ReplyTo: "r@example.com", UnsubscribeURL: "https://example.com/u",
				Attachments: []Attachment{{Name: "a", Ref: "r"}},
			},
			Email{
				To: "a@example.com", ToName: "Ann", Subject: "T", Text: "B\n" + link, HTML: "<p>", ReplyTo: "r@example.com",
				UnsubscribeURL: "https://example.com/u", Attachments: []Attachment{{Name: "a", Ref: "r"}},
			},
		},
		{"email, URL in the body", EmailChannel, "a@example.com", Content{Title: "T", Body: "See " + link + "."}, Email{To: "a@example.com", ToName: "Ann", Subject: "T", Text: "See " + link + "."}},
		{"email, title only", EmailChannel, "a@example.com", Content{Title: "T"}, Email{To: "a@example.com", ToName: "Ann", Subject: "T", Text: "T"}},
		{"email, URL only", EmailChannel, "a@example.com", Content{URL: link}, Email{To: "a@example.com", ToName: "Ann", Text: link}},
		{"email, HTML only", EmailChannel, "a@example.com", Content{HTML: "<p>", URL: link}, Email{To: "a@example.com", ToName: "Ann", HTML: "<p>"}},
		{"email, subject from the body", EmailChannel, "a@example.com", Content{Body: "\n \r\n Hi\tyou\nthere"}, Email{To: "a@example.com", ToName: "Ann", Subject: "Hi you", Text: "\n \r\n Hi\tyou\nthere"}},
		{"email, subject cut", EmailChannel, "a@example.com", Content{Body: long}, Email{To: "a@example.com", ToName: "Ann", Subject: long[:77*2] + "…", Text: long}},
		{"sms", SMSChannel, "+49301234567", Content{Title: "T", Body: "B", URL: link}, SMS{To: "+49301234567", Text: "B\n" + link}},
		{"sms, title only", SMSChannel, "+49301234567", Content{Title: "T"}, SMS{To: "+49301234567", Text: "T"}},
		{"push", PushChannel, "tok", Content{Title: "T", Body: "B", URL: link, Data: map[string]string{"k": "v"}}, Push{Token: "tok", Title: "T", Body: "B", URL: link, Data: map[string]string{"k": "v"}}},
		{"chat", ChatChannel, "#room", Content{Title: "T", Body: "B", URL: link}, Chat{To: "#room", Title: "T", Text: "B", URL: link}},
		{"chat, title only", ChatChannel, "#room", Content{Title: "T"}, Chat{To: "#room", Text: "T"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m, locale, err := renderDefault(RenderRequest{
				Channel: test.channel, Address: test.address, Content: test.content, Recipient: Recipient{Name: "Ann"},
			}, nil)
			require.NoError(t, err)
			require.Equal(t, test.want, m)
			require.Empty(t, locale)
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	const secret = "s3cret@example.com"
	tests := []struct {
		name string
		req  RenderRequest
		is   error
		text string
	}{
		{"channel of the host's own", RenderRequest{Channel: "pager", Address: secret}, ErrUnsupported, "notify.Render"},
		{"template unknown", RenderRequest{Channel: SMSChannel, Template: "nope"}, ErrNotFound, "Config.Templates"},
		{"no form for the channel", RenderRequest{Channel: ChatChannel, Template: "otp"}, ErrNotFound, "otp/chat.<part>.tmpl"},
		{"nothing for the channel", RenderRequest{Channel: SMSChannel, Address: "+49301234567", Content: Content{HTML: secret}}, nil, "SMS.Text"},
		{"bad address", RenderRequest{Channel: EmailChannel, Address: "Eve <" + secret + ">", Content: Content{Title: "T"}}, nil, "Email.To"},
		{"a missing entry", RenderRequest{Channel: SMSChannel, Address: "+49301234567", Template: "otp", Data: map[string]any{"x": secret}}, nil, "at otp/sms.text.tmpl:1:20: .Data.code: the data has no such entry"},
		{"no data at all", RenderRequest{Channel: SMSChannel, Address: "+49301234567", Template: "otp"}, nil, "the data has no such entry"},
		{"null", RenderRequest{Channel: SMSChannel, Address: "+49301234567", Template: "otp", Data: map[string]any{"code": nil}}, nil, "otp/sms.text.tmpl: at otp/sms.text.tmpl:1:15: the value is null; test for it with {{with}}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m, _, err := renderDefault(test.req, testTemplates(t))
			require.Nil(t, m)
			require.ErrorContains(t, err, test.text)
			require.NotContains(t, err.Error(), secret)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
		})
	}
}

func TestRenderTemplate(t *testing.T) {
	t.Parallel()
	all := testTemplates(t)
	req := RenderRequest{
		Channel:   EmailChannel,
		Address:   "a@example.com",
		Recipient: Recipient{Name: "Ann <b>"},
		Template:  "order/shipped",
		Content:   Content{Title: "Shipped", URL: "https://example.com/?a=1&b=2"},
		Data:      map[string]any{"number": 1234567.0, "count": 2},
	}

	m, locale, err := renderDefault(req, all)
	require.NoError(t, err)
	require.Empty(t, locale)
	require.Equal(t, Email{
		To:      "a@example.com",
		ToName:  "Ann <b>",
		Subject: "Order 1234567 is on its way",
		Text:    "Hello Ann <b>,\n\n2 parcels of order 1234567.\n\n-- \nThe shop",
		HTML:    "<p>Hello Ann &lt;b&gt;,</p>\n<p>Order <b>1234567</b>: <a href=\"https://example.com/?a=1&amp;b=2\">follow it</a></p>",
	}, m)

	// The German form has no html, and takes none from the other language.
	req.Recipient.Locale = "DE-at"
	m, locale, err = renderDefault(req, all)
	require.NoError(t, err)
	require.Equal(t, "de", locale)
	require.Equal(t, Email{
		To: "a@example.com", ToName: "Ann <b>", Subject: "Bestellung 1234567 ist unterwegs",
		Text: "Guten Tag Ann <b>,\n\nBestellung 1234567.",
	}, m)

	req.Channel, req.Address = ChatChannel, "#room"
	m, locale, err = renderDefault(req, all)
	require.NoError(t, err)
	require.Empty(t, locale)
	require.Equal(t, Chat{To: "#room", Text: "Shipped", URL: req.Content.URL}, m, "chat has no form, so it is Content's")

	req.Channel, req.Address = SMSChannel, "+49301234567"
	m, locale, err = renderDefault(req, all)
	require.NoError(t, err)
	require.Empty(t, locale, "sms has no German form")
	require.Equal(t, SMS{To: "+49301234567", Text: "Order 1234567 is on its way: https://example.com/?a=1&b=2"}, m)
}

// A template sees the same data whether it came as Go values or through JSON.
func TestRenderDataThroughJSON(t *testing.T) {
	t.Parallel()
	type line struct {
		Price float64 `json:"price"`
		Count uint8   `json:"count"`
	}
	data := map[string]any{
		"line": line{Price: 12, Count: 3}, "big": int64(1)<<60 + 1, "float": 1234567.5, "list": []string{"a", "b"}, "yes": true,
	}
	encoded, err := json.Marshal(data)
	require.NoError(t, err)
	var floats map[string]any
	require.NoError(t, json.Unmarshal(encoded, &floats))
	floats["big"] = json.Number("1152921504606846977") // a float64 cannot hold it

	const source = `{{.Data.line.price | printf "%.2f"}} {{printf "%d" .Data.line.count}} {{.Data.big}} {{.Data.float}} ` +
		`{{index .Data.list 1}} {{if gt .Data.line.price 11.5}}gt{{end}} {{if eq .Data.line.price 12.0 }}eq{{end}} ` +
		`{{if lt .Data.float 2000000}}lt{{end}} {{range .Data.line.count}}.{{end}} {{if ne .Data.yes false}}ne{{end}}`
	for _, form := range []map[string]any{data, floats} {
		made, err := renderOne(t, "sms.text", source, form)
		require.NoError(t, err)
		require.Equal(t, "12.00 3 1152921504606846977 1234567.5 b gt eq lt ... ne", made)
	}
}
