package topology

import (
	"fmt"
	"strings"
)

// Transition is a step of a notification's headline from one state to another.
type Transition struct {
	// From is empty for the beginning.
	From, To string
	// On are the events that may make the step.
	On []string
}

// Lifecycle returns the steps that the headline of a notification's status can
// take, as its events come in the order of the log. For steps back, such as from
// delivered to bounced, notify raises Corrected. States and events are those of
// package notify. A view that gets events in another order may see other steps.
func Lifecycle() []Transition {
	return []Transition{
		{"", "accepted", []string{"accepted"}},
		{"accepted", "routed", []string{"routed"}},
		{"accepted", "suppressed", []string{"suppressed"}},
		{"accepted", "canceled", []string{"canceled"}},
		{"accepted", "expired", []string{"expired"}},
		{"accepted", "failed", []string{"undeliverable"}},
		{"routed", "sending", []string{"sending"}},
		{"routed", "canceled", []string{"canceled"}},
		{"routed", "expired", []string{"expired"}},
		{"routed", "failed", []string{"undeliverable"}},
		{"sending", "sent", []string{"sent"}},
		{"sending", "delivered", []string{"delivered"}},
		{"sending", "unknown", []string{"unknown"}},
		{"sending", "failed", []string{"undeliverable", "canceled", "expired"}},
		{"sending", "bounced", []string{"undeliverable", "canceled", "expired"}},
		{"sending", "undelivered", []string{"undeliverable", "canceled", "expired"}},
		{"sent", "delivered", []string{"delivered"}},
		{"sent", "sending", []string{"bounced", "undelivered"}},
		{"sent", "bounced", []string{"bounced", "undelivered"}},
		{"sent", "undelivered", []string{"undelivered"}},
		{"sent", "unknown", []string{"bounced", "undelivered"}},
		{"unknown", "sent", []string{"sent"}},
		{"unknown", "delivered", []string{"delivered"}},
		{"delivered", "bounced", []string{"bounced"}},
		{"delivered", "sending", []string{"bounced"}},
		{"delivered", "sent", []string{"bounced"}},
		{"delivered", "unknown", []string{"bounced"}},
		{"undelivered", "delivered", []string{"delivered"}},
		{"undelivered", "bounced", []string{"bounced"}},
		{"bounced", "delivered", []string{"delivered"}},
	}
}

// LifecycleMermaid draws [Lifecycle] as a Mermaid state diagram.
func LifecycleMermaid() string {
	var d strings.Builder
	d.WriteString("stateDiagram-v2\n")
	for _, t := range Lifecycle() {
		from := t.From
		if from == "" {
			from = "[*]"
		}
		fmt.Fprintf(&d, "    %s --> %s: %s\n", from, t.To, strings.Join(t.On, ", "))
	}
	return d.String()
}
