// Package telemetry reports to OpenTelemetry what a Notifier does: metrics of
// observers, providers and notifications, and traces from Send to every observer.
//
//	t := telemetry.New(telemetry.Config{MeterProvider: meters, TracerProvider: traces})
//	n.Attach(t)
//
// Names follow the semantic conventions for messaging, version 1.43.0 (package
// go.opentelemetry.io/otel/semconv/v1.43.0), which are in development: a later
// version of this package may change them. Names that the conventions do not
// have begin with "notify.".
//
// # Metrics
//
//	messaging.client.consumed.messages  events that an observer's handlers got; failures with error.type
//	messaging.process.duration          s, how long they took, as a histogram: see [Durations]
//	notify.observer.time                s, how long they took, together
//	notify.observer.retries             events that were put back to come again
//	notify.observer.dead_letters        events that were given up
//	notify.observer.lag                 events not handled yet, of the whole group, where the backend can tell
//	notify.observer.in_flight           batches that are being handled
//	notify.observer.paused              1 while it fails on everything
//	notify.observer.cost                at the prices of [Config.ObserverPrice]
//	notify.events                       what became of notifications, by notify.event: accepted, sent, delivered, failed, ...
//	notify.settle.duration              s from Send to settled, by notify.state
//	notify.provider.duration            s of a provider's calls; failures with error.type
//	notify.provider.cost                what providers charge for what was sent, where they say so, up to a billion units each
//	notify.provider.in_flight           calls under way
//	notify.provider.down                1 while its circuit breaker is open
//
// All but notify.observer.lag are of this process: add them up over processes. An
// event of a notification is counted once, by the process that stored it, however
// often it is published and handled; with NoRecords a step that is done again
// counts again. Observers are read from [notify.Notifier.Stats] when metrics are
// collected, so that they cost an event nothing.
//
// # Cardinality
//
// Attributes are names that the program chose: observers, channels, providers,
// types of events. Tenants are no attributes unless [Config.Tenants] or
// [Config.MaxTenants] says so; all others are "_other". Metrics of notifications
// have at most 1,500 combinations of attributes; what goes beyond that is counted
// under "_other". No attribute ever holds an address, a recipient, content, or the
// text of an error.
//
// # Traces
//
// Send and SendBatch are a span "send notify.route", of kind producer, whose
// context goes into the notification and all its events. The steps that route and
// deliver are spans "process ...", of kind consumer, each call of a provider within
// them is a client span, and so is each event that an observer handles: with a link
// to the context that the event carries, since many observers handle one event. They
// are also children of that context, so that one trace shows everything that follows
// from a Send, unless [Config.SeparateTraces] has each begin a trace of its own. What
// a handler sends or emits belongs to the handler's span. Emit is a span only within
// a sampled trace.
//
// A trace that is not sampled costs next to nothing: the sampled flag of the trace
// context (W3C Trace Context) is checked, and no span is made. A handler finds that
// trace in its context all the same, so that what it calls is not sampled either.
package telemetry
