package notify

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func testValidation(t testing.TB) validation {
	return validation{
		channels:  map[Channel]bool{EmailChannel: true, SMSChannel: true, "pager": true},
		templates: testTemplates(t),
	}
}

func goodNotification() Notification {
	return Notification{
		To:      Recipient{ID: "u_42", Name: "Ann", Locale: "de-AT", Addresses: map[Channel]string{EmailChannel: "a@example.com"}},
		Content: Content{Title: "Shipped", Body: "Your order\n\tis on its way.", URL: "https://example.com/o/1"},
		Route:   EmailChannel.asRoute(),
		Labels:  map[string]string{"region": "eu"},
	}
}

func TestValidateNotificationAccepts(t *testing.T) {
	t.Parallel()
	now := time.Now()
	nested := any("leaf")
	for range maxDataDepth - 1 {
		nested = []any{nested}
	}
	tests := map[string]func(*Notification, *validation){
		"plain":                 func(*Notification, *validation) {},
		"user of the directory": func(n *Notification, c *validation) { n.To = User("u_1"); c.hasDirectory = true },
		"addresses without ID":  func(n *Notification, _ *validation) { n.To.ID = "" },
		"default route":         func(n *Notification, c *validation) { n.Route = Route{}; c.defaultRoute = All(EmailChannel) },
		"template alone":        func(n *Notification, _ *validation) { n.Content = Content{}; n.Template = "otp" },
		"template of the host":  func(n *Notification, c *validation) { n.Template = "d-1234"; c.hostTemplates = true },
		"channels not known":    func(n *Notification, c *validation) { n.Route = First(ChatChannel, Channel("x")); c.channels = nil },
		"host's own channel":    func(n *Notification, _ *validation) { n.Route = First(Channel("pager"), EmailChannel).OnDoubt() },
		"address of a channel of this package without a provider": func(n *Notification, _ *validation) {
			n.To.Addresses[ChatChannel] = "#room"
		},
		"app's own scheme": func(n *Notification, _ *validation) { n.Content.URL = "shop://order/1?x=ü" },
		"data of a push":   func(n *Notification, _ *validation) { n.Content = Content{Data: map[string]string{"k": "a\nb"}} },
		"schedule":         func(n *Notification, _ *validation) { n.NotBefore, n.ExpiresAt = now, now.Add(1) },
		"in a year": func(n *Notification, _ *validation) {
			n.NotBefore, n.ExpiresAt = now.Add(maxAhead), now.Add(2*maxAhead)
		},
		"past": func(n *Notification, _ *validation) { n.ExpiresAt = now.Add(-time.Hour) },
		"attachments": func(n *Notification, _ *validation) {
			n.Content.Attachments = []Attachment{{Name: "ü.pdf", ContentType: "application/pdf; name=x", Data: []byte{0}}, {Name: "b", Ref: "s3://b"}}
		},
		"mail headers": func(n *Notification, _ *validation) {
			n.Content.ReplyTo, n.Content.UnsubscribeURL = "b@example.com", "https://example.com/u?t=%20a,b"
		},
		"longest": func(n *Notification, _ *validation) {
			n.Key, n.Tenant, n.Category = strings.Repeat("k", 255), strings.Repeat("t", 128), strings.Repeat("c", 128)
		},
		"deepest route": func(n *Notification, _ *validation) {
			for range maxRouteDepth - 1 {
				n.Route = First(n.Route)
			}
			n.Route = First(n.Route)
		},
		"deepest data": func(n *Notification, _ *validation) { n.Data = map[string]any{"x": nested} },
		"data of any type": func(n *Notification, _ *validation) {
			type node struct {
				Next  *node
				Raw   json.RawMessage
				skip  string
				Quiet string `json:"-"`
			}
			n.Data = map[string]any{
				"a": 1, "b": uint8(2), "c": 1.5, "d": nil, "e": now, "f": []byte{0xff}, "g": json.Number("1e3"), "h": map[int]string{1: "x"},
				"i": &node{Next: &node{Raw: json.RawMessage(`{"x":[1]}`), skip: "\xff", Quiet: "\xff"}}, "j": (*node)(nil), "k": [2]float32{1, 2},
			}
		},
		"almost too large": func(n *Notification, _ *validation) { n.Content.Body = strings.Repeat("a", defaultMaxBytes-400) },
		"almost, in data": func(n *Notification, _ *validation) {
			n.Data = map[string]any{"x": strings.Repeat("a", defaultMaxBytes-400)}
		},
		"almost, in numbers": func(n *Notification, _ *validation) { n.Data = map[string]any{"x": make([]any, defaultMaxBytes/5-100)} },
		"almost, attached": func(n *Notification, _ *validation) {
			n.Content.Attachments = []Attachment{{Name: "a", Data: make([]byte, defaultMaxBytes*3/4-600)}}
		},
		"large, by its Config": func(n *Notification, c *validation) {
			n.Content.Body = strings.Repeat("a", 1<<20)
			c.maxBytes = 2 << 20
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, c := goodNotification(), testValidation(t)
			change(&n, &c)
			require.NoError(t, validateNotification(&n, c))
			encoded, err := json.Marshal(n)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(encoded, &Notification{}))
			_, err = plainData(n.Data)
			require.NoError(t, err)
			data := dataCheck{budget: 4 << 20}
			(&problems{}).data(n.Data, &data)
			low, high := sizeBounds(&n, &data, (&problems{}).route("", n.Route, nil))
			require.LessOrEqual(t, low, len(encoded))
			require.GreaterOrEqual(t, high, len(encoded))
		})
	}
}

type panicky struct{}

func (panicky) MarshalJSON() ([]byte, error) { panic("s3cret") }

func TestValidateNotificationRefuses(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cyclic := map[string]any{}
	cyclic["x"] = cyclic
	type ring struct{ Next *ring }
	loop := &ring{}
	loop.Next = loop
	wide := any("x")
	for range maxDataDepth - 2 {
		wide = []any{wide, wide}
	}
	type pair struct{ A, B any }
	wideTyped := any("x")
	for range 40 {
		wideTyped = &pair{wideTyped, wideTyped}
	}
	shared := First(EmailChannel)
	for range 6 {
		shared = All(shared, shared, shared, shared)
	}
	empties := All()
	for range 6 {
		empties = First(empties, empties, empties, empties)
	}
	label := func(key, value string) func(*Notification, *validation) {
		return func(n *Notification, _ *validation) { n.Labels = map[string]string{key: value} }
	}
	data := func(value any) func(*Notification, *validation) {
		return func(n *Notification, _ *validation) { n.Data = map[string]any{"x": value} }
	}
	route := func(r Step) func(*Notification, *validation) {
		return func(n *Notification, _ *validation) { n.Route = r.asRoute() }
	}
	attach := func(a Attachment) func(*Notification, *validation) {
		return func(n *Notification, _ *validation) { n.Content.Attachments = []Attachment{{Name: "ok", Ref: "r"}, a} }
	}
	address := func(c Channel, address string) func(*Notification, *validation) {
		return func(n *Notification, _ *validation) { n.To.Addresses = map[Channel]string{c: address} }
	}
	content := func(change func(*Content)) func(*Notification, *validation) {
		return func(n *Notification, _ *validation) { change(&n.Content) }
	}
	tests := []struct {
		name   string
		change func(*Notification, *validation)
		fields string // joined by a space
		is     error
	}{
		{"nobody", func(n *Notification, _ *validation) { n.To = Recipient{} }, "To", nil},
		{"no directory", func(n *Notification, _ *validation) { n.To = User("u") }, "To.Addresses", nil},
		{"ID of two lines", func(n *Notification, _ *validation) { n.To.ID = "a\nb" }, "To.ID", nil},
		{"name of two lines", func(n *Notification, _ *validation) { n.To.Name = "a\rb" }, "To.Name", nil},
		{"locale with NUL", func(n *Notification, _ *validation) { n.To.Locale = "de\x00" }, "To.Locale", nil},
		{"mail address", address(EmailChannel, "Ann <s3cret@example.com>"), "To.Addresses[email]", nil},
		{"number", address(SMSChannel, "030 1234567"), "To.Addresses[sms]", nil},
		{"token", address(PushChannel, ""), "To.Addresses[push]", nil},
		{"unknown channel", address("e-mail", "a@example.com"), "To.Addresses[e-mail]", nil},
		{"malformed channel", address("s3cret channel", "a"), "To.Addresses", nil},
		{"two addresses", func(n *Notification, _ *validation) {
			n.To.Addresses = map[Channel]string{SMSChannel: "", EmailChannel: "", PushChannel: ""}
		}, "To.Addresses[email] To.Addresses[push] To.Addresses[sms]", nil},

		{"no content", content(func(c *Content) { *c = Content{ReplyTo: "a@example.com"} }), "Content", nil},
		{"title of two lines", content(func(c *Content) { c.Title = "a\r\nBcc: s3cret" }), "Content.Title", nil},
		{"title not UTF-8", content(func(c *Content) { c.Title = "a\xff" }), "Content.Title", nil},
		{"title with a line separator", content(func(c *Content) { c.Title = "a\u2028b" }), "Content.Title", nil},
		{"body not UTF-8", content(func(c *Content) { c.Body = "ä\xff" }), "Content.Body", nil},
		{"body with NUL", content(func(c *Content) { c.Body = "a\x00" }), "Content.Body", nil},
		{"body with a control character", content(func(c *Content) { c.Body = "ä\u0085" }), "Content.Body", nil},
		{"HTML with NUL", content(func(c *Content) { c.HTML = "\x00" }), "Content.HTML", nil},
		{"URL relative", content(func(c *Content) { c.URL = "/s3cret" }), "Content.URL", nil},
		{"URL without a host", content(func(c *Content) { c.URL = "https:///s3cret" }), "Content.URL", nil},
		{"URL with a space", content(func(c *Content) { c.URL = "https://example.com/ s3cret" }), "Content.URL", nil},
		{"URL of a script", content(func(c *Content) { c.URL = "JavaScript:s3cret()" }), "Content.URL", nil},
		{"URL too long", content(func(c *Content) { c.URL = "https://example.com/" + strings.Repeat("a", 2048) }), "Content.URL", ErrTooLarge},
		{"push data not UTF-8", content(func(c *Content) { c.Data = map[string]string{"k": "\xff"} }), "Content.Data", nil},
		{"push data, bad key", content(func(c *Content) { c.Data = map[string]string{"s3cret\n": ""} }), "Content.Data", nil},
		{"reply-to", content(func(c *Content) { c.ReplyTo = "a@example.com, s3cret@example.com" }), "Content.ReplyTo", nil},
		{"unsubscribe by http", content(func(c *Content) { c.UnsubscribeURL = "http://example.com/s3cret" }), "Content.UnsubscribeURL", nil},
		{"unsubscribe by mail", content(func(c *Content) { c.UnsubscribeURL = "mailto:s3cret@example.com" }), "Content.UnsubscribeURL", nil},
		{"unsubscribe out of its brackets", content(func(c *Content) { c.UnsubscribeURL = "https://example.com/>,<https://s3cret" }), "Content.UnsubscribeURL", nil},
		{"unsubscribe of two lines", content(func(c *Content) { c.UnsubscribeURL = "https://example.com/\r\ns3cret" }), "Content.UnsubscribeURL", nil},
		{"unsubscribe too long", content(func(c *Content) { c.UnsubscribeURL = "https://example.com/" + strings.Repeat("a", 900) }), "Content.UnsubscribeURL", nil},
		{"attachment empty", attach(Attachment{Name: "a", Data: []byte{}}), "Content.Attachments[1]", nil},
		{"attachment twice", attach(Attachment{Name: "a", Data: []byte("x"), Ref: "s3cret"}), "Content.Attachments[1]", nil},
		{"attachment without a name", attach(Attachment{Ref: "s3cret"}), "Content.Attachments[1].Name", nil},
		{"attachment's name", attach(Attachment{Name: "a\ns3cret", Ref: "r"}), "Content.Attachments[1].Name", nil},
		{"attachment's ref", attach(Attachment{Name: "a", Ref: "r\x00"}), "Content.Attachments[1].Ref", nil},
		{"attachment's type", attach(Attachment{Name: "a", Ref: "r", ContentType: "s3cret"}), "Content.Attachments[1].ContentType", nil},
		{"attachment's type of two lines", attach(Attachment{Name: "a", Ref: "r", ContentType: "text/plain;\r\n x=y"}), "Content.Attachments[1].ContentType", nil},

		{"template unknown", func(n *Notification, _ *validation) { n.Template = "s3cret" }, "Template", ErrNotFound},
		{"template, none configured", func(n *Notification, c *validation) { n.Template, c.templates = "otp", nil }, "Template", ErrNotFound},
		{"template of two lines", func(n *Notification, c *validation) { n.Template, c.hostTemplates = "a\nb", true }, "Template", nil},
		{"expires too early", func(n *Notification, _ *validation) { n.NotBefore, n.ExpiresAt = now, now }, "ExpiresAt", nil},
		{"far future", func(n *Notification, _ *validation) { n.NotBefore = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "NotBefore", nil},
		{"in years", func(n *Notification, _ *validation) { n.NotBefore = now.Add(maxAhead + time.Hour) }, "NotBefore", nil},
		{"never expires", func(n *Notification, _ *validation) {
			n.ExpiresAt = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
		}, "ExpiresAt", nil},
		{"expires long after it may be sent", func(n *Notification, _ *validation) {
			n.NotBefore, n.ExpiresAt = now.Add(time.Hour), now.Add(maxAhead+2*time.Hour)
		}, "ExpiresAt", nil},
		{"far past", func(n *Notification, _ *validation) { n.ExpiresAt = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, "ExpiresAt", nil},
		{"key too long", func(n *Notification, _ *validation) { n.Key = strings.Repeat("k", 256) }, "Key", ErrTooLarge},
		{"key of two lines", func(n *Notification, _ *validation) { n.Key = "s3cret\n" }, "Key", nil},
		{"tenant too long", func(n *Notification, _ *validation) { n.Tenant = strings.Repeat("k", 129) }, "Tenant", ErrTooLarge},
		{"category not UTF-8", func(n *Notification, _ *validation) { n.Category = "\xff" }, "Category", nil},
		{"label without a key", label("", "s3cret"), "Labels", nil},
		{"label's key", label("s3cret\n", ""), "Labels", nil},
		{"label's value", label("k", "s3cret\x00"), "Labels", nil},
		{"label's length", label("k", strings.Repeat("v", 129)), "Labels", nil},
		{"labels too many", func(n *Notification, _ *validation) {
			n.Labels = map[string]string{}
			for i := range 17 {
				n.Labels[strings.Repeat("k", i+1)] = ""
			}
		}, "Labels", ErrTooLarge},

		{"no route", route(Route{}), "Route", nil},
		{"First of nothing", route(First()), "Route", nil},
		{"All of nothing, inside", route(First(EmailChannel, All())), "Route.First[1]", nil},
		{"nil step", route(First(nil, All(EmailChannel, Route{}))), "Route.First[0] Route.First[1].All[1]", nil},
		{"no provider", route(First(PushChannel, All(EmailChannel, ChatChannel))), "Route.First[0] Route.First[1].All[1]", nil},
		{"no provider for the only channel", route(PushChannel), "Route", nil},
		{"channel's name", route(First(Channel("s3cret channel"))), "Route.First[0]", nil},
		{"channel without a name", route(Channel("")), "Route", nil},
		{"too deep", func(n *Notification, _ *validation) {
			for range maxRouteDepth + 1 {
				n.Route = First(n.Route)
			}
		}, "Route.First[0].First[0].First[0].First[0].First[0].First[0].First[0].First[0]", ErrTooLarge},
		{"shared parts", route(shared), "Route.All[0].All[0].All[0].All[2].All[0].All[0].First[0]", ErrTooLarge},
		{"shared parts, empty", route(empties), "", ErrTooLarge},

		{"data cyclic", data(cyclic), "Data[x]", nil},
		{"data cyclic, typed", data(loop), "Data[x]", nil},
		{"data that shares parts", data(wide), "Notification", ErrTooLarge},
		{"data that shares parts, typed", data(wideTyped), "Notification", ErrTooLarge},
		{"data not UTF-8", data("s3cret\xff"), "Data[x]", nil},
		{"data not UTF-8, deep", data([]any{map[string]any{"y": "\xff"}}), "Data[x]", nil},
		{"data's key not UTF-8", data(map[string]any{"\xff": 1}), "Data[x]", nil},
		{"data not UTF-8, typed", data(struct{ S []string }{[]string{"s3cret\xff"}}), "Data[x]", nil},
		{"data's key not UTF-8, typed", data(map[string]int{"s3cret\xff": 1}), "Data[x]", nil},
		{"data not UTF-8, raw", data(json.RawMessage("\"\xff\"")), "Data[x]", nil},
		{"data too deep, raw", data(json.RawMessage(strings.Repeat("[", 40) + strings.Repeat("]", 40))), "Data[x]", nil},
		{"data NaN", data(math.NaN()), "Data[x]", nil},
		{"data infinite", data([]any{math.Inf(1)}), "Data[x]", nil},
		{"data of a channel", data(make(chan int)), "Data[x]", nil},
		{"data of a func", data(map[string]any{"y": func() {}}), "Data[x]", nil},
		{"data panics", data(panicky{}), "Data[x]", nil},
		{"data, no number", data(json.Number("s3cret")), "Data[x]", nil},
		{"data, huge number", data(json.RawMessage("1e400")), "Data[x]", nil},
		{"data, two", func(n *Notification, _ *validation) {
			n.Data = map[string]any{"b": panicky{}, "a": math.NaN(), "s3cret@example.com": math.NaN(), "\xff": 1}
		}, "Data Data Data[a] Data[b]", nil},

		{"too large", content(func(c *Content) { c.Body = strings.Repeat("a", defaultMaxBytes) }), "Notification", ErrTooLarge},
		{"too large escaped", content(func(c *Content) { c.HTML = strings.Repeat("<", defaultMaxBytes/4) }), "Notification", ErrTooLarge},
		{"too large attached", attach(Attachment{Name: "a", Data: make([]byte, defaultMaxBytes*3/4)}), "Notification", ErrTooLarge},
		{"too large in data", data(strings.Repeat("a", defaultMaxBytes+1)), "Notification", ErrTooLarge},
		{"too large in data, typed", data([]string{strings.Repeat("a", defaultMaxBytes+1)}), "Notification", ErrTooLarge},
		{"too large in many", data(make([]any, defaultMaxBytes/5)), "Notification", ErrTooLarge},
		{"too large, by its Config", func(_ *Notification, c *validation) { c.maxBytes = 100 }, "Notification", ErrTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n, c := goodNotification(), testValidation(t)
			test.change(&n, &c)
			err := validateNotification(&n, c)
			require.Error(t, err)
			var fields []string
			for _, field := range FieldErrors(err) {
				fields = append(fields, field.Field)
			}
			if test.fields != "" {
				require.Equal(t, test.fields, strings.Join(fields, " "), "%v", err)
			}
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			} else {
				require.False(t, errors.Is(err, ErrTooLarge), "%v", err)
			}
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
}

func TestValidateNotificationReportsEverything(t *testing.T) {
	t.Parallel()
	n := Notification{
		Content: Content{Title: "a\nb", Body: "\x00", URL: "x", ReplyTo: "x", UnsubscribeURL: "x", Attachments: []Attachment{{}}},
		Route:   First(), Template: "x", Key: "\x00", Tenant: "\n", Category: "\r", Labels: map[string]string{"": ""},
		NotBefore: time.Now(), ExpiresAt: time.Unix(1, 0), Data: map[string]any{"f": func() {}},
	}
	var fields []string
	for _, field := range FieldErrors(validateNotification(&n, validation{})) {
		fields = append(fields, field.Field)
	}
	require.Equal(t, []string{
		"To", "Content.Title", "Content.Body", "Content.URL", "Content.ReplyTo", "Content.UnsubscribeURL", "Content.Attachments[0]",
		"Content.Attachments[0].Name", "Template", "ExpiresAt", "Key", "Tenant", "Category", "Labels", "Route", "Data[f]",
	}, fields)
	require.Error(t, validateNotification(&Notification{}, validation{}))
}

func TestValidateMessage(t *testing.T) {
	t.Parallel()
	email := func(change func(*Email)) Email {
		m := Email{To: "a@example.com", ToName: "Ann", Subject: "S", Text: "T", ReplyTo: "b@example.com"}
		change(&m)
		return m
	}
	tests := []struct {
		message Message
		fields  string
	}{
		{email(func(*Email) {}), ""},
		{email(func(m *Email) { m.Subject, m.Text, m.HTML = "", "", "<p>" }), ""},
		{email(func(m *Email) { m.To = "Ann <a@example.com>" }), "Email.To"},
		{email(func(m *Email) { m.To, m.ToName, m.Subject = "", "a\nb", "a\rb" }), "Email.To Email.ToName Email.Subject"},
		{email(func(m *Email) { m.Text = "" }), "Email"},
		{email(func(m *Email) { m.Text, m.HTML = "\x00", "\xff" }), "Email.Text Email.HTML"},
		{email(func(m *Email) { m.ReplyTo, m.UnsubscribeURL = "x\n", "http://x" }), "Email.ReplyTo Email.UnsubscribeURL"},
		{email(func(m *Email) { m.Attachments = []Attachment{{Name: "\n", Ref: "r"}} }), "Email.Attachments[0].Name"},
		{SMS{To: "+49301234567", Text: "a\nb"}, ""},
		{SMS{}, "SMS.To SMS.Text"},
		{SMS{To: "+49301234567", Text: "\xff"}, "SMS.Text"},
		{Push{Token: "t", Data: map[string]string{"a": ""}}, ""},
		{Push{Token: "t"}, "Push"},
		{Push{Token: "t\n", Title: "\n", Body: "\x00", URL: "x", Data: map[string]string{"": ""}}, "Push.Token Push.Title Push.Body Push.URL Push.Data"},
		{Chat{To: "#r", Text: "x"}, ""},
		{Chat{Title: "\n", URL: "x"}, "Chat.To Chat.Text Chat.Title Chat.URL"},
		{hostMessage{}, ""},
	}
	for _, test := range tests {
		err := validateMessage(test.message)
		var fields []string
		for _, field := range FieldErrors(err) {
			fields = append(fields, field.Field)
		}
		require.Equal(t, test.fields, strings.Join(fields, " "), "%+v", test.message)
		require.Equal(t, test.fields == "", err == nil)
	}
}

type hostMessage struct{}

func (hostMessage) Channel() Channel { return "pager" }

func TestJSONSize(t *testing.T) {
	t.Parallel()
	for r := rune(0); r < 0x3000; r++ {
		encoded, err := json.Marshal("a" + string(r) + "b")
		require.NoError(t, err)
		require.Equal(t, len(encoded)-2, jsonSize("a"+string(r)+"b"), "%U", r)
	}
}

func TestValidNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][3]bool{ // channel, provider, observer
		"email-2_x":               {true, true, true},
		"smtp.eu":                 {false, true, true},
		"Receipts/ü":              {false, false, true},
		strings.Repeat("a", 33):   {false, true, true},
		strings.Repeat("a", 65):   {false, false, true},
		strings.Repeat("a", 129):  {},
		"":                        {},
		"a b":                     {},
		"a\n":                     {},
		"a\u00a0":                 {},
		"a\xff":                   {},
		"a\u202e":                 {},
		strings.Repeat("ü", 64):   {false, false, true},
		strings.Repeat("ü", 65):   {},
		"x\x00":                   {},
		strings.Repeat("a.", 32):  {false, true, true},
		strings.Repeat("a-", 16):  {true, true, true},
		"UPPER":                   {false, false, true},
		"observer:with:a:purpose": {false, false, true},
	} {
		require.Equal(t, want, [3]bool{validChannelName(Channel(name)), validProviderName(name), validName(name)}, "%q", name)
	}
}
