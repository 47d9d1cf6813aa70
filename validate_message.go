package notify

// validateMessage checks a rendered message of this package, by the rules of
// its fields; a message of the host's own type is the host's affair. Its
// errors never hold a value.
func validateMessage(m Message) error {
	var p problems
	switch m := m.(type) {
	case Email:
		p.email(m)
	case SMS:
		p.address("SMS.To", SMSChannel, m.To)
		p.required("SMS.Text", m.Text)
		p.text("SMS.Text", m.Text)
	case Push:
		p.address("Push.Token", PushChannel, m.Token)
		if m.Title == "" && m.Body == "" && len(m.Data) == 0 {
			p.add("Push", "one of Title, Body and Data is required")
		}
		p.line("Push.Title", m.Title, 0)
		p.text("Push.Body", m.Body)
		p.url("Push.URL", m.URL)
		p.stringMap("Push.Data", m.Data)
	case Chat:
		p.address("Chat.To", ChatChannel, m.To)
		p.required("Chat.Text", m.Text)
		p.line("Chat.Title", m.Title, 0)
		p.text("Chat.Text", m.Text)
		p.url("Chat.URL", m.URL)
	}
	return p.err()
}

func (p *problems) email(m Email) {
	p.address("Email.To", EmailChannel, m.To)
	p.line("Email.ToName", m.ToName, 0)
	p.line("Email.Subject", m.Subject, 0)
	if m.Text == "" && m.HTML == "" {
		p.add("Email", "one of Text and HTML is required")
	}
	p.text("Email.Text", m.Text)
	p.text("Email.HTML", m.HTML)
	if m.ReplyTo != "" {
		p.address("Email.ReplyTo", EmailChannel, m.ReplyTo)
	}
	p.unsubscribeURL("Email.UnsubscribeURL", m.UnsubscribeURL)
	for i := range m.Attachments {
		p.attachment("Email.Attachments", i, m.Attachments[i])
	}
}

func (p *problems) required(field, value string) {
	if value == "" {
		p.add(field, "is required: the content or the template has nothing for it")
	}
}

func (p *problems) stringMap(field string, data map[string]string) {
	for key, value := range data {
		if key == "" || len(key) > maxLabel || !isLine(key) {
			p.add(field, "a key has to be one line of 1 to %d bytes", maxLabel)
			break
		}
		if !isText(value) {
			p.add(field, "a value has to be valid UTF-8, without control characters other than tabs and line ends")
			break
		}
	}
}
