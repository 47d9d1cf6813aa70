package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
)

// EndpointDisabled is raised when an endpoint is disabled because of what it
// answered, so that its owner can be told: at least once, and each time with the
// same ID; only calls that are answered by 410 at the same moment may raise one
// each. Its envelope names the tenant, and no notification. On the wire its type is
// "webhook.endpoint_disabled.v1".
type EndpointDisabled struct {
	EndpointID string `json:"endpoint_id"`
	Reason     Reason `json:"reason"`
	// Status is the last answer's, 0 if there was none, and Failure what was wrong
	// with it.
	Status  int     `json:"status,omitempty"`
	Failure Failure `json:"failure"`
	// FailingSince is when the first call failed after the last that succeeded.
	FailingSince time.Time `json:"failing_since"`
}

const disabledType = "webhook.endpoint_disabled.v1"

// register makes EndpointDisabled an event, unless another Sender has.
func register(n *notify.Notifier) {
	for _, e := range n.Topology().Events {
		if e.Type == disabledType && strings.HasSuffix(e.Struct, ".EndpointDisabled") {
			return
		}
	}
	notify.RegisterEvent[EndpointDisabled](n, disabledType)
}

// disabledEvent returns the event of an outcome that disables an endpoint, and
// what goes into its envelope. The ID follows from when the endpoint began to
// fail, or from the message that it answered by 410.
func disabledEvent(c Claim, o Outcome) (EndpointDisabled, func(*notify.Envelope)) {
	since := c.Status.FailingSince
	if since.IsZero() {
		since = o.Attempt.At
	}
	about := c.Message.ID
	if o.Disable == DisabledFailing {
		about = since.UTC().Format(time.RFC3339Nano)
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{c.Status.ID, string(o.Disable), about}, "\n")))
	e := EndpointDisabled{
		EndpointID: c.Status.ID, Reason: o.Disable, Status: o.Attempt.Status, Failure: o.Attempt.Failure, FailingSince: since.UTC(),
	}
	return e, func(envelope *notify.Envelope) {
		envelope.ID = "webhook/" + hex.EncodeToString(sum[:16])
		envelope.Tenant, envelope.Time = c.Status.Tenant, o.Attempt.At.Add(o.Attempt.Took)
	}
}
