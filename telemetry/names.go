package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// The attributes that the semantic conventions have no name for.
const (
	keyObserver = "notify.observer"
	keyChannel  = "notify.channel"
	keyProvider = "notify.provider"
	keyEvent    = "notify.event"
	keyState    = "notify.state"
	keyTenant   = "notify.tenant"
	keyVerdict  = "notify.verdict"
	keyCurrency = "notify.currency"
)

// system is the messaging system, whatever the backend: its messages are
// notify's.
var system = semconv.MessagingSystemKey.String("notify")

const (
	eventsTopic = "notify.events"
	groupPrefix = "notify."
)

// processed are the attributes of metrics about what an observer handled.
func processed(observer string, more ...attribute.KeyValue) attribute.Set {
	return attribute.NewSet(append([]attribute.KeyValue{
		system,
		semconv.MessagingOperationName("process"),
		semconv.MessagingOperationTypeProcess,
		semconv.MessagingDestinationName(eventsTopic),
		semconv.MessagingConsumerGroupName(groupPrefix + observer),
		attribute.String(keyObserver, observer),
	}, more...)...)
}
