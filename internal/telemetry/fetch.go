package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// How a run of the collector over one account ended.
const (
	FetchOK        = "ok"
	FetchTemporary = "temporary" // will be tried again by itself
	FetchPermanent = "permanent" // somebody has to do something
)

var fetchResults = []string{FetchOK, FetchTemporary, FetchPermanent}

// A FetchRun is what is counted of one run of the collector over one account when it has ended.
type FetchRun struct {
	// Account is its name in the configuration, of which there are not many.
	Account string
	// Result is one of the Fetch constants.
	Result  string
	Ended   time.Time
	Fetched int   // messages brought home
	Octets  int64 // of these
	Deleted int   // messages removed at the source
	Poison  int   // messages set aside, in all
}

// fetchMetrics have the name of the account as a label, so that an alert can say which one.
type fetchMetrics struct {
	runs                     *prometheus.CounterVec
	fetched, octets, deleted *prometheus.CounterVec
	success, alarm, poison   *prometheus.GaugeVec
}

func newFetchMetrics(r *prometheus.Registry) fetchMetrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"account"}, labels...))
		r.MustRegister(v)
		return v
	}
	gauges := func(name, help string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"account"})
		r.MustRegister(v)
		return v
	}
	return fetchMetrics{
		runs:    counters("postamt_fetch_runs_total", "Runs of the collector, by how they ended.", "result"),
		fetched: counters("postamt_fetch_messages_total", "Messages brought home."),
		octets:  counters("postamt_fetch_octets_total", "Octets of messages brought home."),
		deleted: counters("postamt_fetch_deleted_total", "Messages removed at the source."),
		success: gauges("postamt_fetch_last_success_timestamp_seconds", "When a run last ended well, in Unix time."),
		alarm:   gauges("postamt_fetch_alarm", "1 while somebody has to do something about an account."),
		poison:  gauges("postamt_fetch_poison_messages", "Messages that could not be fetched and were set aside."),
	}
}

// FetchRun counts a run of the collector.
func (m *Metrics) FetchRun(run FetchRun) {
	if m == nil {
		return
	}
	f := m.fetch
	f.runs.WithLabelValues(run.Account, run.Result).Inc()
	f.fetched.WithLabelValues(run.Account).Add(float64(max(run.Fetched, 0)))
	f.octets.WithLabelValues(run.Account).Add(float64(max(run.Octets, 0)))
	f.deleted.WithLabelValues(run.Account).Add(float64(max(run.Deleted, 0)))
	f.poison.WithLabelValues(run.Account).Set(float64(run.Poison))
	if run.Result == FetchOK {
		f.success.WithLabelValues(run.Account).Set(float64(run.Ended.Unix()))
	}
}

// FetchAlarm tells whether somebody has to do something about an account of the collector.
func (m *Metrics) FetchAlarm(account string, on bool) {
	if m == nil {
		return
	}
	value := 0.0
	if on {
		value = 1
	}
	m.fetch.alarm.WithLabelValues(account).Set(value)
}

// FetchAccount makes the metrics of an account of the collector begin, at zero.
func (m *Metrics) FetchAccount(account string) {
	if m == nil {
		return
	}
	for _, result := range fetchResults {
		m.fetch.runs.WithLabelValues(account, result)
	}
	m.fetch.fetched.WithLabelValues(account)
	m.fetch.octets.WithLabelValues(account)
	m.fetch.deleted.WithLabelValues(account)
	m.fetch.alarm.WithLabelValues(account)
	m.fetch.poison.WithLabelValues(account)
}

// FetchForget takes an account that is not in the configuration any more off the page.
func (m *Metrics) FetchForget(account string) {
	if m == nil {
		return
	}
	of := prometheus.Labels{"account": account}
	for _, v := range []*prometheus.CounterVec{m.fetch.runs, m.fetch.fetched, m.fetch.octets, m.fetch.deleted} {
		v.DeletePartialMatch(of)
	}
	for _, v := range []*prometheus.GaugeVec{m.fetch.success, m.fetch.alarm, m.fetch.poison} {
		v.DeletePartialMatch(of)
	}
}
