package main

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-6c01d079/notify"
)

// metrics serves what observers and providers did, for Prometheus.
func (s *service) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newStats(s.notifier), collectors.NewGoCollector())
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry})
}

// stats collects a Notifier's Stats. Its labels are names of the program's own.
type stats struct {
	notifier                           *notify.Notifier
	calls, seconds, inFlight, down     *prometheus.Desc // of providers
	events, handling, retries, letters *prometheus.Desc // of observers
	lag, paused                        *prometheus.Desc
}

func newStats(n *notify.Notifier) *stats {
	provider, observer := []string{"provider", "channel"}, []string{"observer"}
	result := func(labels []string) []string { return append([]string{"result"}, labels...) }
	return &stats{
		notifier: n,
		calls:    prometheus.NewDesc("notify_provider_calls_total", "Calls to a provider.", result(provider), nil),
		seconds:  prometheus.NewDesc("notify_provider_seconds_total", "Time that calls to a provider took.", provider, nil),
		inFlight: prometheus.NewDesc("notify_provider_in_flight", "Calls to a provider that run now.", provider, nil),
		down:     prometheus.NewDesc("notify_provider_down", "1 while the provider's circuit breaker is open.", provider, nil),
		events:   prometheus.NewDesc("notify_observer_events_total", "Events that an observer was given.", result(observer), nil),
		handling: prometheus.NewDesc("notify_observer_seconds_total", "Time that an observer's handlers took.", observer, nil),
		retries:  prometheus.NewDesc("notify_observer_retries_total", "Events that were put back to come again.", observer, nil),
		letters:  prometheus.NewDesc("notify_observer_dead_letters_total", "Events that an observer gave up on.", observer, nil),
		lag:      prometheus.NewDesc("notify_observer_lag", "Events that an observer has not handled; -1 if nobody can tell.", observer, nil),
		paused:   prometheus.NewDesc("notify_observer_paused", "1 while the observer fails on everything.", observer, nil),
	}
}

// Describe implements [prometheus.Collector].
func (s *stats) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, to) }

// Collect implements [prometheus.Collector].
func (s *stats) Collect(to chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	all := s.notifier.Stats(context.Background())
	for _, p := range all.Providers {
		name, channel := p.Name, string(p.Channel)
		count(s.calls, float64(p.Successes), "success", name, channel)
		count(s.calls, float64(p.Failures), "failure", name, channel)
		count(s.seconds, p.Total.Seconds(), name, channel)
		gauge(s.inFlight, float64(p.InFlight), name, channel)
		gauge(s.down, bit(p.Down), name, channel)
	}
	for _, o := range all.Observers {
		count(s.events, float64(o.Successes), "success", o.Name)
		count(s.events, float64(o.Failures), "failure", o.Name)
		count(s.handling, o.Total.Seconds(), o.Name)
		count(s.retries, float64(o.Retries), o.Name)
		count(s.letters, float64(o.DeadLetters), o.Name)
		gauge(s.lag, float64(o.Lag), o.Name)
		gauge(s.paused, bit(o.Paused), o.Name)
	}
}

func bit(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
