package notify

import "time"

// The events in this file are about the machinery. Unlike the others they are
// raised as they happen and not stored in a record: a crash may lose one. An
// observer's failure to handle one of them raises no further one.

// ObserverFailed fires when an observer failed to handle an event for the
// first time, and will be tried again. The observer's own process raises it.
type ObserverFailed struct {
	Observer string `json:"observer"`
	// EventID and EventType are the event's that it failed on.
	EventID   string        `json:"event_id"`
	EventType string        `json:"event_type"`
	Class     ObserverError `json:"class"`
}

// ObserverSkipped fires when an observer fell behind what the backend keeps,
// and was moved forward: it will never see what lies between.
type ObserverSkipped struct {
	Observer string `json:"observer"`
	// From and To are positions in the topic: those from From on and below To
	// were skipped.
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// DeadLettered fires when an observer could not handle an event in all its
// attempts, or too much of its notification's queued already behind one that
// failed ([ObserverOverflow]), and the event was put away for
// [Notifier.Redrive].
type DeadLettered struct {
	Observer  string        `json:"observer"`
	EventID   string        `json:"event_id"`
	EventType string        `json:"event_type"`
	Class     ObserverError `json:"class"`
	Attempts  int           `json:"attempts"`
	// LetterID names the dead letter.
	LetterID string `json:"letter_id"`
}

// ProviderDown fires when a provider's circuit breaker opened in a process.
type ProviderDown struct {
	Channel  Channel `json:"channel"`
	Provider string  `json:"provider"`
	// Until is when it is tried again.
	Until time.Time `json:"until"`
}

// ProviderUp fires when a provider's circuit breaker closed again.
type ProviderUp struct {
	Channel  Channel `json:"channel"`
	Provider string  `json:"provider"`
}

// AddressInvalid fires when a provider reports, by refusing a call or by a
// hard bounce, that an address does not exist. It is stored like the
// lifecycle events.
type AddressInvalid struct {
	Attempt
	// AddressHash is the keyed hash of the address ([Config.AddressKey]).
	AddressHash string `json:"address_hash"`
	Code        string `json:"code,omitempty"`
}

// Stuck fires when a notification does not move on: the sweep has taken it up
// several times in vain, or, with limits ([Notifier.Linger]), a phase has lasted
// beyond its limit. It is stored like the lifecycle events.
type Stuck struct {
	State State `json:"state"`
	// Since is when it last moved on; with limits, from when the limit counts.
	Since time.Time `json:"since"`
	// Phase is the one that lasts, and Leg and Channel say of which leg, unless
	// it is of the whole; all are empty without limits.
	Phase   Phase   `json:"phase,omitempty"`
	Leg     int     `json:"leg,omitempty"`
	Channel Channel `json:"channel,omitempty"`
}
