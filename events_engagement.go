package notify

// Engagement is what a recipient did with a notification. It never changes
// the delivery status. [Notifier.Report] raises these events, each once for
// each [Report.EventID].
type Engagement struct {
	Attempt
	// Machine is set for what a scanner, a proxy or a bot did.
	Machine bool `json:"machine,omitempty"`
}

// EngagementRef returns the engagement. It makes these events a family that
// [On] can select: interface{ EngagementRef() Engagement }.
func (e Engagement) EngagementRef() Engagement { return e }

// Opened fires when the message was displayed.
type Opened struct{ Engagement }

// Clicked fires when a link in the message was followed.
type Clicked struct {
	Engagement
	// Link names the link in the host's terms. It is never the address.
	Link string `json:"link,omitempty"`
}

// Read fires when the recipient marked the message as read.
type Read struct{ Engagement }

// Archived fires when the recipient archived the message.
type Archived struct{ Engagement }

// Replied fires when the recipient answered.
type Replied struct{ Engagement }

// Complained fires when the recipient reported the message as unwanted.
type Complained struct {
	Engagement
	// AddressHash is the keyed hash of the address ([Notifier.AddressHash]).
	AddressHash string `json:"address_hash,omitempty"`
}

// Unsubscribed fires when the recipient asked to get no more notifications of
// this kind.
type Unsubscribed struct {
	Engagement
	// Scope is what they unsubscribed from, in the host's terms; empty is the
	// notification's category.
	Scope string `json:"scope,omitempty"`
	// AddressHash is as in [Complained].
	AddressHash string `json:"address_hash,omitempty"`
}
