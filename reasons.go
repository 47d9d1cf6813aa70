package notify

// DelayReason is why something waits.
type DelayReason string

// The reasons of [Delayed].
const (
	DelayScheduled DelayReason = "scheduled" // Notification.NotBefore
	DelayGuard     DelayReason = "guard"
)

// RejectReason is why a plan leaves a channel out.
type RejectReason string

// The reasons of [Rejected].
const (
	RejectNoAddress  RejectReason = "no_address"  // the recipient has none for the channel
	RejectBadAddress RejectReason = "bad_address" // the one they have is not valid
	RejectNoProvider RejectReason = "no_provider" // nobody sends on the channel
	RejectGuard      RejectReason = "guard"       // a guard left the channel out
	RejectNoTemplate RejectReason = "no_template" // the template has no form for it
)

// EndReason is why a leg, or a provider's turn in it, ended without success.
type EndReason string

// The reasons of [Failed], [FailedOver] and [LegStatus].
const (
	EndRejected     EndReason = "rejected"     // the provider refused it for good
	EndExhausted    EndReason = "exhausted"    // no attempts are left
	EndBudget       EndReason = "budget"       // no time is left
	EndUnavailable  EndReason = "unavailable"  // the circuit breaker is open
	EndUnrenderable EndReason = "unrenderable" // the message could not be made
	EndUndelivered  EndReason = "undelivered"  // the provider reported so
	EndBounced      EndReason = "bounced"      // it came back
	EndInDoubt      EndReason = "in_doubt"     // it may or may not have been sent
	EndCanceled     EndReason = "canceled"
	EndExpired      EndReason = "expired"
	EndSuppressed   EndReason = "suppressed"
)

// UndeliverableReason is why no way to the recipient is left.
type UndeliverableReason string

// The reasons of [Undeliverable].
const (
	UndeliverableExhausted    UndeliverableReason = "exhausted"    // every leg failed
	UndeliverableNoRoute      UndeliverableReason = "no_route"     // no channel of the route can be used
	UndeliverableNoRecipient  UndeliverableReason = "no_recipient" // the directory does not know them
	UndeliverableUnrenderable UndeliverableReason = "unrenderable" // no leg's message could be made
)

// ObserverError is how an observer failed.
type ObserverError string

// The ways in which an observer fails.
const (
	ObserverReturnedError ObserverError = "error"     // its function returned an error
	ObserverPermanent     ObserverError = "permanent" // … marked by [Permanent]
	ObserverPanicked      ObserverError = "panic"
	ObserverTimedOut      ObserverError = "timeout"
	ObserverUndecodable   ObserverError = "undecodable" // the event could not be read
	ObserverTooDeep       ObserverError = "too_deep"    // observers answered each other for too long
	ObserverOverflow      ObserverError = "overflow"    // too much waited behind a failing event
)
