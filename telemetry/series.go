package telemetry

import (
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seed-6c01d079/notify"
)

// maxSeries bounds the series of one metric: fewer than the 2,000 from which on
// OpenTelemetry's SDK drops attributes by itself.
const maxSeries = 1500

// series counts by attributes. It costs less than a counter of the SDK, and the
// bound is its own.
type series[K comparable] struct {
	beyond func(K) K // what is counted when there is no room for K
	set    func(K) attribute.Set

	mu  sync.RWMutex
	all map[K]*counter
}

type counter struct {
	n   atomic.Int64
	set metric.MeasurementOption
}

func (s *series[K]) add(key K, n int64) { s.of(key).n.Add(n) }

func (s *series[K]) of(key K) *counter {
	s.mu.RLock()
	c := s.all[key]
	s.mu.RUnlock()
	if c != nil {
		return c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[K]*counter{}
	}
	if c := s.all[key]; c != nil {
		return c
	}
	if len(s.all) >= maxSeries {
		key = s.beyond(key)
		if c := s.all[key]; c != nil {
			return c
		}
	}
	c = &counter{set: metric.WithAttributeSet(s.set(key))}
	s.all[key] = c
	return c
}

// each calls do with what was counted.
func (s *series[K]) each(do func(n int64, set metric.MeasurementOption)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.all {
		do(c.n.Load(), c.set)
	}
}

// eventKey is what events of notifications are counted by.
type eventKey struct {
	event, provider, tenant string
	channel                 notify.Channel
}

func (k eventKey) set() attribute.Set {
	return setOf(keyEvent, k.event, keyChannel, string(k.channel), keyProvider, k.provider, keyTenant, k.tenant)
}

func (k eventKey) beyond() eventKey {
	return eventKey{event: k.event, provider: other, tenant: other, channel: other}
}

// costKey is what providers' charges are counted by.
type costKey struct {
	provider, tenant, currency string
	channel                    notify.Channel
}

func (k costKey) set() attribute.Set {
	return setOf(keyChannel, string(k.channel), keyProvider, k.provider, keyTenant, k.tenant, keyCurrency, k.currency)
}

func (k costKey) beyond() costKey {
	return costKey{provider: other, tenant: other, channel: other, currency: other}
}

// callKey is what providers' calls are timed by.
type callKey struct {
	channel  notify.Channel
	provider string
	verdict  notify.Verdict
	class    notify.FailureClass
}

func (k callKey) set() attribute.Set {
	return setOf(keyChannel, string(k.channel), keyProvider, k.provider, string(semconv.ErrorTypeKey), string(k.class), keyVerdict, string(k.verdict))
}

func (k callKey) beyond() callKey {
	return callKey{channel: other, provider: other, verdict: k.verdict, class: k.class}
}

// setOf makes attributes of keys and values; an empty value has none.
func setOf(pairs ...string) attribute.Set {
	var all []attribute.KeyValue
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all = append(all, attribute.String(pairs[i], pairs[i+1]))
		}
	}
	return attribute.NewSet(all...)
}

// eventName is an event's type without what all have: notify.sent.v1 is sent.
func eventName(wire string) string {
	name := strings.TrimPrefix(wire, "notify.")
	if i := strings.LastIndex(name, ".v"); i > 0 {
		name = name[:i]
	}
	return name
}

// currency is one by its form, of which there are few; anything else is "_other".
func currency(code string) string {
	if len(code) != 3 {
		return other
	}
	for i := range len(code) {
		if code[i] < 'A' || code[i] > 'Z' {
			return other
		}
	}
	return code
}
