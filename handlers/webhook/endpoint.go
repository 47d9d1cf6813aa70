package webhook

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-6c01d079/notify"
)

const (
	maxNameBytes       = 128
	maxSecrets         = 4
	maxTypes           = 64
	maxCalls           = 64
	defaultConcurrency = 4
)

// Endpoint is where a customer wants events to be sent. It names itself by its
// ID when it is printed or logged: its URL may hold a token of the customer's.
type Endpoint struct {
	// ID is unique: 1 to 128 bytes of printable ASCII characters without spaces.
	ID string
	// Tenant is whose it is: it gets the events of exactly this tenant, and one
	// without a tenant the events without one. It never changes.
	Tenant string
	// URL is where events are posted to: see [Network] for what is refused.
	URL string
	// Secrets all sign every request, so that a receiver that knows one of them
	// can verify it: put a new one first, and take the old one away when the
	// receiver has changed. 1 to 4, never shared with another endpoint.
	Secrets []Secret
	// Types are the events it gets, by their type on the wire, such as
	// "notify.delivered.v1": 1 to 64. Those of notify must be known; one of a program
	// that emits it elsewhere need not be. An event that names no notification is not
	// sent: those about the machinery, and the host's own that [notify.Emit] raises
	// outside of an observer, unless an option names one.
	Types []string
	// Ordered makes the events come one after the other, in the order in which
	// they were taken from the log: the next only after the one before it was
	// delivered or given up. Each notification's are in its own order. Otherwise
	// an event that fails holds up no other.
	Ordered bool
	// Concurrency is how many calls there may be at once to an endpoint that is
	// not Ordered, up to 64; default 4. While it is failing, and until its first
	// success, there is one.
	Concurrency int
}

// String implements [fmt.Stringer]: it has neither URL nor secrets.
func (e Endpoint) String() string { return "endpoint " + e.ID }

// Format implements [fmt.Formatter], as String for every verb.
func (e Endpoint) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.String()) }

// LogValue implements [slog.LogValuer], as String.
func (e Endpoint) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", e.ID), slog.String("tenant", e.Tenant))
}

// Wants tells, for a [Store], whether the message is for the endpoint.
func (e *Endpoint) Wants(m *Message) bool {
	return e.Tenant == m.Tenant && slices.Contains(e.Types, m.Type)
}

// clone returns a copy that shares nothing, with its defaults filled in.
func (e Endpoint) clone() Endpoint {
	e.Secrets, e.Types = slices.Clone(e.Secrets), slices.Clone(e.Types)
	if e.Concurrency == 0 {
		e.Concurrency = defaultConcurrency
	}
	return e
}

var typeName = regexp.MustCompile(`^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+$`)

// check reports every problem of the endpoint, of which no text holds a value.
func (e *Endpoint) check(network *network, isKnown func(eventType string) bool) error {
	var found []error
	add := func(field, format string, args ...any) {
		found = append(found, &notify.FieldError{Field: "Endpoint." + field, Problem: fmt.Sprintf(format, args...)})
	}
	if e.ID == "" || !isName(e.ID) {
		add("ID", "must have 1 to %d bytes of printable ASCII characters without spaces", maxNameBytes)
	}
	if len(e.Tenant) > maxNameBytes {
		add("Tenant", "must have at most %d bytes", maxNameBytes)
	}
	if _, problem := network.parse(e.URL); problem != "" {
		add("URL", "%s", problem)
	}
	if len(e.Secrets) < 1 || len(e.Secrets) > maxSecrets {
		add("Secrets", "must be 1 to %d", maxSecrets)
	}
	for i, s := range e.Secrets {
		switch {
		case s.IsZero():
			add(fmt.Sprintf("Secrets[%d]", i), "is none; webhook.NewSecret makes one")
		case slices.Contains(e.Secrets[:i], s):
			add(fmt.Sprintf("Secrets[%d]", i), "is there twice")
		}
	}
	if len(e.Types) < 1 || len(e.Types) > maxTypes {
		add("Types", "must be 1 to %d types, such as \"notify.delivered.v1\"", maxTypes)
	}
	for i, t := range e.Types {
		switch {
		case !typeName.MatchString(t) || len(t) > maxNameBytes:
			add(fmt.Sprintf("Types[%d]", i), "must be an event's type on the wire, such as \"notify.delivered.v1\"")
		case strings.HasPrefix(t, "notify.") && !isKnown(t):
			add(fmt.Sprintf("Types[%d]", i), "is no event of notify; their types are as \"notify.delivered.v1\", in full")
		case slices.Contains(e.Types[:i], t):
			add(fmt.Sprintf("Types[%d]", i), "is there twice")
		}
	}
	if e.Concurrency < 0 || e.Concurrency > maxCalls {
		add("Concurrency", "must be from 0 (the default, %d) to %d", defaultConcurrency, maxCalls)
	}
	return errors.Join(found...)
}

func isName(s string) bool {
	return len(s) <= maxNameBytes && !slices.ContainsFunc([]byte(s), func(c byte) bool { return c <= ' ' || c > '~' })
}
