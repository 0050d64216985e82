package telemetry

import "github.com/prometheus/client_golang/prometheus"

// other is the value of a label for whatever is not in its list.
const other = "other"

// labelled is one metric for each value of a label, found without allocating.
type labelled[M any] struct {
	known map[string]M
	rest  M
}

func (l labelled[M]) of(value string) M {
	if m, ok := l.known[value]; ok {
		return m
	}
	return l.rest
}

func label[M any](values []string, metric func(value string) M) labelled[M] {
	l := labelled[M]{known: make(map[string]M, len(values)), rest: metric(other)}
	for _, v := range values {
		l.known[v] = metric(v)
	}
	return l
}

func counters(r *prometheus.Registry, name, help, key string, values []string) labelled[prometheus.Counter] {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{key})
	r.MustRegister(vec)
	return label(values, func(v string) prometheus.Counter { return vec.WithLabelValues(v) })
}

func gauges(r *prometheus.Registry, name, help, key string, values []string) labelled[prometheus.Gauge] {
	vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{key})
	r.MustRegister(vec)
	return label(values, func(v string) prometheus.Gauge { return vec.WithLabelValues(v) })
}

func counter(r *prometheus.Registry, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	r.MustRegister(c)
	return c
}

func histogram(r *prometheus.Registry, name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	r.MustRegister(h)
	return h
}
