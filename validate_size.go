package notify

// size compares the size as JSON with the cap. Bounds from both sides decide
// for nearly all; only between them is the notification encoded.
func (p *problems) size(n *Notification, most int, data *dataCheck, steps int, encodable bool) {
	low, high := sizeBounds(n, data, steps)
	switch {
	case !data.over && high <= most:
		return
	case data.over || low > most:
	case !encodable:
		return // with what is reported already, nobody knows
	default:
		encoded, err := marshal(n)
		if err != nil && len(*p) == 0 {
			p.add("Notification", "cannot be encoded as JSON")
		}
		if len(encoded) <= most {
			return
		}
	}
	p.addErr(ErrTooLarge, "Notification", "is larger than %d bytes as JSON; let an attachment travel by its Ref", most)
}

// sizeBounds are what n takes as JSON at least and at most: its strings as
// they are, and the names, punctuation and numbers around them by estimate.
func sizeBounds(n *Notification, data *dataCheck, steps int) (low, high int) {
	c := &n.Content
	low = data.size()
	for _, s := range [...]string{
		n.To.ID, n.To.Name, n.To.Locale, n.Template, n.Key, n.Tenant, n.Category,
		c.Title, c.Body, c.HTML, c.URL, c.ReplyTo, c.UnsubscribeURL,
	} {
		low += jsonSize(s)
	}
	for channel, address := range n.To.Addresses {
		low += jsonSize(string(channel)) + jsonSize(address)
	}
	for key, value := range c.Data {
		low += jsonSize(key) + jsonSize(value)
	}
	for key, value := range n.Labels {
		low += jsonSize(key) + jsonSize(value)
	}
	for i := range c.Attachments {
		a := &c.Attachments[i]
		low += jsonSize(a.Name) + jsonSize(a.ContentType) + jsonSize(a.Ref) + (len(a.Data)+2)/3*4
	}
	entries := len(n.To.Addresses) + len(c.Data) + len(n.Labels) + 3*len(c.Attachments) + data.nodes
	return low, low + 32*entries + 64*steps + 2048
}

// jsonSize is the size of s between the quotes, as encoding/json writes valid
// UTF-8: it also escapes what HTML and JavaScript would misread.
func jsonSize(s string) int {
	size := len(s)
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '"', b == '\\', b == '\n', b == '\r', b == '\t', b == '\b', b == '\f':
			size++
		case b < ' ', b == '<', b == '>', b == '&':
			size += 5
		case b == 0xe2 && i+2 < len(s) && s[i+1] == 0x80 && s[i+2]|1 == 0xa9:
			size += 3 // U+2028 and U+2029
		}
	}
	return size
}
