package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"

	"github.com/seed-6c01d079/notify"
)

// metrics are the instruments. Most are read from the Notifier, or from series,
// when they are collected.
type metrics struct {
	telemetry    *Telemetry
	notifier     *notify.Notifier
	meter        metric.Meter
	observed     []metric.Observable
	registration metric.Registration // nil before register

	events series[eventKey]
	costs  series[costKey]
	// Of these only the attributes are used, so that they are made once.
	states  series[notify.State]
	answers series[callKey]

	settled, calls metric.Float64Histogram

	consumed                                metric.Int64ObservableCounter
	eventCount, retries, deadLetters        metric.Int64ObservableCounter
	lag, paused, down                       metric.Int64ObservableGauge
	inFlight, callsInFlight                 metric.Int64ObservableUpDownCounter
	observerTime, observerCost, chargedCost metric.Float64ObservableCounter
}

// Bounds of histograms, in seconds. Those of the semantic conventions begin with
// 5 ms; handlers in memory take microseconds.
var (
	processBounds = []float64{0.000001, 0.00001, 0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	callBounds    = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60}
	settleBounds  = []float64{0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600, 3 * 24 * 3600}
)

func newMetrics(t *Telemetry, n *notify.Notifier, meter metric.Meter) (*metrics, error) {
	m := &metrics{
		telemetry: t, notifier: n, meter: meter,
		events: series[eventKey]{beyond: eventKey.beyond, set: eventKey.set},
		costs:  series[costKey]{beyond: costKey.beyond, set: costKey.set},
		states: series[notify.State]{
			beyond: func(notify.State) notify.State { return other },
			set:    func(s notify.State) attribute.Set { return setOf(keyState, string(s)) },
		},
		answers: series[callKey]{beyond: callKey.beyond, set: callKey.set},
	}
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	count := func(name, unit, what string) metric.Int64ObservableCounter {
		c, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
		keep(err)
		m.observed = append(m.observed, c)
		return c
	}
	gauge := func(name, unit, what string) metric.Int64ObservableGauge {
		g, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(what))
		keep(err)
		m.observed = append(m.observed, g)
		return g
	}
	upDown := func(name, unit, what string) metric.Int64ObservableUpDownCounter {
		u, err := meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
		keep(err)
		m.observed = append(m.observed, u)
		return u
	}
	sum := func(name, unit, what string) metric.Float64ObservableCounter {
		c, err := meter.Float64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
		keep(err)
		m.observed = append(m.observed, c)
		return c
	}
	histogram := func(name, what string, bounds []float64) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what), metric.WithExplicitBucketBoundaries(bounds...))
		keep(err)
		return h
	}
	consumed, err := messagingconv.NewClientConsumedMessagesObservable(meter)
	keep(err)
	m.consumed = consumed.Inst()
	m.observed = append(m.observed, m.consumed)
	m.observerTime = sum("notify.observer.time", "s", "Time that an observer's handlers took.")
	m.retries = count("notify.observer.retries", "{event}", "Events that an observer failed on and that were put back to come again.")
	m.deadLetters = count("notify.observer.dead_letters", "{event}", "Events that an observer gave up.")
	m.lag = gauge("notify.observer.lag", "{event}", "Events that an observer has not handled yet.")
	m.inFlight = upDown("notify.observer.in_flight", "{batch}", "Batches of events that an observer handles now.")
	m.paused = gauge("notify.observer.paused", "{observer}", "1 while an observer fails on everything and is paused.")
	m.observerCost = sum("notify.observer.cost", "{currency_unit}", "Cost of an observer's work at its declared price.")
	m.eventCount = count("notify.events", "{event}", "Events in the life of notifications, each counted once when it is stored.")
	m.chargedCost = sum("notify.provider.cost", "{currency_unit}", "What providers charge for the messages they took.")
	m.callsInFlight = upDown("notify.provider.in_flight", "{call}", "Calls of a provider that are under way.")
	m.down = gauge("notify.provider.down", "{provider}", "1 while a provider's circuit breaker is open.")
	m.calls = histogram("notify.provider.duration", "Duration of a provider's calls.", callBounds)
	m.settled = histogram("notify.settle.duration", "Time from Send until a notification settled.", settleBounds)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, nil
}

// register has it collected.
func (m *metrics) register() (err error) {
	m.registration, err = m.meter.RegisterCallback(m.collect, m.observed...)
	return err
}

// raised is the hook for the events of notifications.
func (m *metrics) raised(e notify.Event[any]) {
	tenant := m.telemetry.tenants.label(e.Tenant)
	key := eventKey{event: eventName(e.Type), tenant: tenant}
	var about notify.Attempt
	switch d := e.Data.(type) {
	case interface{ AttemptRef() notify.Attempt }:
		about = d.AttemptRef()
	case interface{ LegRef() notify.Leg }:
		about.Leg = d.LegRef()
	case notify.FailedOver:
		about = d.From
	}
	key.channel, key.provider = about.Channel, about.Provider
	m.events.add(key, 1)
	switch d := e.Data.(type) {
	case notify.Sent:
		if d.Cost.Micros > 0 && d.Cost.Micros <= maxMicros {
			m.costs.add(costKey{provider: about.Provider, channel: about.Channel, tenant: tenant, currency: currency(d.Cost.Currency)}, d.Cost.Micros)
		}
	case notify.Settled:
		m.settled.Record(context.Background(), d.Elapsed, m.states.of(d.State).set)
	}
}

// maxMicros bounds what a message may cost, to a billion units: more nobody means,
// and the sum would overflow.
const maxMicros = 1_000_000_000_000_000

// called is the hook for providers' calls.
func (m *metrics) called(c notify.ProviderCall) {
	key := callKey{channel: c.Channel, provider: c.Provider, verdict: c.Verdict, class: c.Class}
	m.calls.Record(context.Background(), c.Took.Seconds(), m.answers.of(key).set)
}

// collect observes what is read when metrics are collected.
func (m *metrics) collect(ctx context.Context, o metric.Observer) error {
	stats := m.notifier.Stats(ctx)
	for i := range stats.Observers {
		m.collectObserver(o, &stats.Observers[i])
		m.collectState(o, &stats.Observers[i])
	}
	for i := range stats.Detached { // a counter does not go away
		m.collectObserver(o, &stats.Detached[i])
	}
	for i := range stats.Providers {
		p := &stats.Providers[i]
		set := metric.WithAttributeSet(setOf(keyChannel, string(p.Channel), keyProvider, p.Name))
		o.ObserveInt64(m.callsInFlight, p.InFlight, set)
		o.ObserveInt64(m.down, oneIf(p.Down), set)
	}
	m.events.each(func(n int64, set metric.MeasurementOption) { o.ObserveInt64(m.eventCount, n, set) })
	m.costs.each(func(n int64, set metric.MeasurementOption) { o.ObserveFloat64(m.chargedCost, float64(n)/1e6, set) })
	return nil
}

func (m *metrics) collectObserver(o metric.Observer, s *notify.ObserverStats) {
	o.ObserveInt64(m.consumed, s.Successes, metric.WithAttributeSet(processed(s.Name)))
	if s.Failures > 0 {
		o.ObserveInt64(m.consumed, s.Failures, metric.WithAttributeSet(processed(s.Name, semconv.ErrorTypeOther)))
	}
	set := metric.WithAttributes(attribute.String(keyObserver, s.Name))
	o.ObserveFloat64(m.observerTime, s.Total.Seconds(), set)
	o.ObserveInt64(m.retries, s.Retries, set)
	o.ObserveInt64(m.deadLetters, s.DeadLetters, set)
	if price := m.telemetry.config.ObserverPrice; price != nil {
		if p := price(s.Name); p.Currency != "" {
			micros := float64(p.PerInvocation)*float64(s.Invocations) + float64(p.PerSecond)*s.Total.Seconds()
			o.ObserveFloat64(m.observerCost, micros/1e6, metric.WithAttributeSet(setOf(keyObserver, s.Name, keyCurrency, currency(p.Currency))))
		}
	}
}

// collectState observes what only an observer has that is registered.
func (m *metrics) collectState(o metric.Observer, s *notify.ObserverStats) {
	set := metric.WithAttributes(attribute.String(keyObserver, s.Name))
	o.ObserveInt64(m.inFlight, s.InFlight, set)
	o.ObserveInt64(m.paused, oneIf(s.Paused), set)
	if s.Lag >= 0 {
		o.ObserveInt64(m.lag, s.Lag, set)
	}
}

func oneIf(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
