package telemetry

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-6c01d079/notify"
)

// scope names this instrumentation.
const scope = "github.com/seed-6c01d079/notify/telemetry"

// Config says where metrics and traces go. One of MeterProvider and
// TracerProvider is required: nothing is taken from globals.
type Config struct {
	// MeterProvider gets the metrics; nil for no metrics.
	MeterProvider metric.MeterProvider
	// Durations, if set, add the histogram of what observers took.
	Durations *Durations
	// TracerProvider gets the spans; nil for no spans.
	TracerProvider trace.TracerProvider
	// SeparateTraces begins a new trace for each event that an observer handles,
	// with a link to the trace that the event came from: only if that is sampled,
	// and then as the sampler decides. Default: the handling is part of the
	// event's trace.
	SeparateTraces bool
	// Tenants are the tenants that metrics of notifications tell apart, as
	// notify.tenant; all others are "_other". At most 1,000. Default none.
	Tenants []string
	// MaxTenants is how many tenants more are told apart: the first that are seen in
	// this process. At most 1,000. Default none.
	MaxTenants int
	// ObserverPrice is what an observer's work costs the host. It is called
	// when metrics are collected, and must be safe for concurrent use. Default
	// none.
	ObserverPrice func(observer string) Price
}

// Price is what an observer costs, in millionths of the currency's unit: a
// declared price, such as that of the functions or machines it runs on.
type Price struct {
	// PerInvocation is for each event that its handlers get.
	PerInvocation int64
	// PerSecond is for each second of their time.
	PerSecond int64
	// Currency is as in [notify.Cost]; a price without one counts as none.
	Currency string
}

// Telemetry is attached to one Notifier, before it runs, and once it is closed to
// another. It is safe for concurrent use.
type Telemetry struct {
	config  Config
	tenants *tenants
	tracer  trace.Tracer              // nil: there are no traces
	text    atomic.Pointer[traceText] // the latest

	mu       sync.Mutex // guards the following
	notifier *notify.Notifier
	metrics  *metrics
}

var _ notify.Attacher = (*Telemetry)(nil)

// New returns telemetry for [notify.Notifier.Attach], which reports what is wrong
// with the Config.
func New(config Config) *Telemetry {
	t := &Telemetry{config: config, tenants: newTenants(config.Tenants, config.MaxTenants)}
	if config.TracerProvider != nil {
		t.tracer = config.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))
	}
	return t
}

// Attach implements [notify.Attacher].
func (t *Telemetry) Attach(n *notify.Notifier) error {
	if err := t.config.check(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.notifier != nil {
		return errors.New("telemetry: it is attached already: make one for each Notifier")
	}
	if d := t.config.Durations; d != nil && !d.of(n) {
		return errors.New("telemetry: Config.Durations tell of another Notifier: make them for each")
	}
	t.notifier = n
	if err := t.hookLocked(n); err != nil {
		return errors.Join(err, t.releaseLocked())
	}
	return nil
}

// hookLocked has the Notifier tell. Hooks that it refuses are among its problems.
func (t *Telemetry) hookLocked(n *notify.Notifier) error {
	var hooks notify.Hooks
	var m *metrics
	if t.config.MeterProvider != nil {
		var err error
		m, err = newMetrics(t, n, t.config.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL)))
		if err != nil {
			return fmt.Errorf("telemetry: make the instruments: %w", err)
		}
		hooks.Raised, hooks.Called = m.raised, m.called
	}
	if t.tracer != nil {
		hooks.Caller, hooks.Begin, hooks.Remote = t.caller, t.begin, remote
	}
	if !n.Hook(hooks) {
		return t.releaseLocked()
	}
	if m == nil {
		return nil
	}
	t.metrics = m
	if err := m.register(); err != nil {
		return fmt.Errorf("telemetry: register what is collected: %w", err)
	}
	return nil
}

// Close releases the Notifier: its metrics are no longer collected. Call it after
// the last collection, if the MeterProvider outlives the Notifier.
func (t *Telemetry) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.releaseLocked()
}

func (t *Telemetry) releaseLocked() error {
	if t.notifier == nil {
		return nil // Durations may be another's
	}
	t.notifier = nil
	if d := t.config.Durations; d != nil {
		d.of(nil)
	}
	m := t.metrics
	t.metrics = nil
	if m == nil || m.registration == nil {
		return nil
	}
	if err := m.registration.Unregister(); err != nil {
		return fmt.Errorf("telemetry: close: %w", err)
	}
	return nil
}

const maxTenants = 1000

func (c *Config) check() error {
	var found []error
	wrong := func(field, problem string) {
		found = append(found, &notify.FieldError{Field: "telemetry.Config." + field, Problem: problem})
	}
	if c.MeterProvider == nil && c.TracerProvider == nil {
		wrong("MeterProvider", "is nil, and so is TracerProvider: set one of them at least")
	}
	if len(c.Tenants) > maxTenants {
		wrong("Tenants", "has more than 1000: leave out those that need not be told apart")
	}
	for i, tenant := range c.Tenants {
		if tenant == "" {
			wrong(fmt.Sprintf("Tenants[%d]", i), "is empty: a notification without a tenant has no such attribute")
		}
	}
	if c.MaxTenants < 0 || c.MaxTenants > maxTenants {
		wrong("MaxTenants", "must be from 0 to 1000")
	}
	return errors.Join(found...)
}
