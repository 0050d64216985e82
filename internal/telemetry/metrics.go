package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// A Build says which program this is.
type Build struct {
	Version, Revision, GoVersion string
}

// Metrics counts what happens. Its methods may be called concurrently, do not block and do not allocate. The nil
// *Metrics counts nothing.
type Metrics struct {
	registry *prometheus.Registry

	opened, refused, ended labelled[prometheus.Counter]
	openNow                labelled[prometheus.Gauge]

	sessionTime prometheus.Histogram
	signIns     map[string]labelled[prometheus.Counter] // by result

	commands labelled[prometheus.Observer]
	failed   labelled[prometheus.Counter]

	octetsIn, octetsOut              prometheus.Counter
	retrieved, retrievedTop, removed prometheus.Counter

	deliveries      labelled[prometheus.Counter]
	deliveredOctets prometheus.Counter

	commits    labelled[prometheus.Counter]
	commitTime prometheus.Histogram

	fetch fetchMetrics
}

// The values of labels. Everything else counts as "other".
var (
	listeners = []string{"pop3", "pop3s", "lmtp"}
	limits    = []string{"connections", "address", "account", "lmtp_connections"}
	reasons   = []string{"quit", "closed", "idle", "stalled", "abuse", "refused", "tls", "shutdown", "fault", "panic"}
	verbs     = []string{
		"USER", "PASS", "APOP", "AUTH", "STLS", "CAPA", "QUIT", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "RSET",
		"NOOP", "LAST", "UTF8", "LANG",
		"LHLO", "MAIL", "RCPT", "DATA", "BDAT", "VRFY",
	}
	mechanisms = []string{
		"PASS", "APOP", "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256",
		"SCRAM-SHA-256-PLUS", "EXTERNAL", "OAUTHBEARER", "XOAUTH2", "GSSAPI",
	}
	signInResults   = []string{SignInOK, SignInWrong, SignInThrottled, SignInDisabled, SignInBusy, SignInFault}
	deliveryResults = []string{DeliveryStored, DeliveryDuplicate, DeliveryTemporary, DeliveryPermanent}
	commitKinds     = []string{CommitDelivery, CommitUpdate}
)

// How a sign-in ended.
const (
	SignInOK        = "ok"
	SignInWrong     = "wrong"     // unknown user or wrong password
	SignInThrottled = "throttled" // too many wrong guesses
	SignInDisabled  = "disabled"
	SignInBusy      = "busy"  // the maildrop is in use
	SignInFault     = "fault" // the system failed
)

// How the delivery to one recipient ended.
const (
	DeliveryStored    = "stored"
	DeliveryDuplicate = "duplicate"
	DeliveryTemporary = "temporary" // the sender will try again
	DeliveryPermanent = "permanent"
)

// What a durable commit of the store was for.
const (
	CommitDelivery = "delivery"
	CommitUpdate   = "update" // deletions at QUIT
)

// NewMetrics returns counters in a registry of their own.
func NewMetrics(build Build) *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "postamt_build_info", Help: "Always 1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": build.Version, "revision": build.Revision, "goversion": build.GoVersion},
	})
	info.Set(1)
	r.MustRegister(info)

	// From 50 us, a STAT, to 13 s, a large RETR over a slow line, by factors of 4.
	latency := prometheus.ExponentialBuckets(50e-6, 4, 10)
	m := &Metrics{
		registry: r,
		openNow:  gauges(r, "postamt_connections_open", "Connections that are open.", "listener", listeners),
		opened:   counters(r, "postamt_connections_total", "Connections let in.", "listener", listeners),
		refused:  counters(r, "postamt_connections_refused_total", "Connections turned away because of a limit.", "limit", limits),
		ended:    counters(r, "postamt_sessions_total", "Sessions ended, by why.", "reason", reasons),
		sessionTime: histogram(r, "postamt_session_seconds", "Time from connection to end of a session.",
			prometheus.ExponentialBuckets(0.001, 5, 10)),
		signIns:      make(map[string]labelled[prometheus.Counter]),
		failed:       counters(r, "postamt_command_errors_total", "Commands that were answered with an error.", "command", verbs),
		octetsIn:     counter(r, "postamt_received_octets_total", "Octets received in sessions, without what TLS adds."),
		octetsOut:    counter(r, "postamt_sent_octets_total", "Octets sent in sessions, without what TLS adds."),
		retrieved:    counter(r, "postamt_messages_retrieved_total", "Messages sent whole."),
		retrievedTop: counter(r, "postamt_messages_topped_total", "Messages sent in part, by TOP."),
		removed:      counter(r, "postamt_messages_deleted_total", "Messages deleted at the end of sessions."),
		deliveries:   counters(r, "postamt_deliveries_total", "Deliveries, one for each recipient.", "result", deliveryResults),
		deliveredOctets: counter(r, "postamt_delivered_octets_total",
			"Octets of messages taken in, each counted once, however many recipients it has."),
		commits:    counters(r, "postamt_store_commits_total", "What was made durable: messages delivered, sessions updated.", "kind", commitKinds),
		commitTime: histogram(r, "postamt_store_commit_seconds", "Time until it was durable.", latency),
		fetch:      newFetchMetrics(r),
	}
	commands := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "postamt_command_seconds", Help: "Time from a command to its reply.", Buckets: latency,
	}, []string{"command"})
	r.MustRegister(commands)
	m.commands = label(verbs, func(v string) prometheus.Observer { return commands.WithLabelValues(v) })
	signIns := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postamt_sign_ins_total", Help: "Attempts to sign in.",
	}, []string{"result", "mechanism"})
	r.MustRegister(signIns)
	for _, result := range append(signInResults, other) {
		m.signIns[result] = label(mechanisms, func(v string) prometheus.Counter { return signIns.WithLabelValues(result, v) })
	}
	return m
}

// CertificateExpiry sets the function that tells when the first TLS certificate expires. Call it once.
func (m *Metrics) CertificateExpiry(notAfter func() time.Time) {
	if m == nil {
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "postamt_tls_certificate_expiry_timestamp_seconds", Help: "When the first of the TLS certificates expires, in Unix time.",
	}, func() float64 { return float64(notAfter().Unix()) }))
}

// ConnOpened counts a connection of a listener ("pop3", "pop3s" or "lmtp"). ConnClosed must follow.
func (m *Metrics) ConnOpened(listener string) {
	if m == nil {
		return
	}
	m.openNow.of(listener).Inc()
	m.opened.of(listener).Inc()
}

// ConnClosed counts the end of a connection.
func (m *Metrics) ConnClosed(listener string) {
	if m == nil {
		return
	}
	m.openNow.of(listener).Dec()
}

// ConnRefused counts a connection turned away by a limit: "connections", "address", "account" or, over LMTP, "lmtp_connections".
func (m *Metrics) ConnRefused(limit string) {
	if m == nil {
		return
	}
	m.refused.of(limit).Inc()
}

// A Session is what is counted of one when it has ended.
type Session struct {
	Reason              string // pop3server.Reason
	Duration            time.Duration
	OctetsIn, OctetsOut int64
	Retrieved, Topped   int // messages sent whole, and in part
	Deleted             int // messages removed
}

// SessionEnded counts a session of mail picked up.
func (m *Metrics) SessionEnded(s Session) {
	if m == nil {
		return
	}
	m.ended.of(s.Reason).Inc()
	m.sessionTime.Observe(s.Duration.Seconds())
	m.octetsIn.Add(float64(max(s.OctetsIn, 0)))
	m.octetsOut.Add(float64(max(s.OctetsOut, 0)))
	m.retrieved.Add(float64(max(s.Retrieved, 0)))
	m.retrievedTop.Add(float64(max(s.Topped, 0)))
	m.removed.Add(float64(max(s.Deleted, 0)))
}

// SignIn counts an attempt: mechanism is "PASS", "APOP" or a SASL mechanism, result one of the SignIn constants.
func (m *Metrics) SignIn(mechanism, result string) {
	if m == nil {
		return
	}
	by, ok := m.signIns[result]
	if !ok {
		by = m.signIns[other]
	}
	by.of(mechanism).Inc()
}

// Command counts a command by its keyword in upper case, the time to its reply, and whether that was an error.
func (m *Metrics) Command(verb string, d time.Duration, failed bool) {
	if m == nil {
		return
	}
	m.commands.of(verb).Observe(d.Seconds())
	if failed {
		m.failed.of(verb).Inc()
	}
}

// Delivery counts the delivery of a message to one recipient; result is one of the Delivery constants.
func (m *Metrics) Delivery(result string) {
	if m == nil {
		return
	}
	m.deliveries.of(result).Inc()
}

// Delivered counts the octets of a message, once for all its recipients.
func (m *Metrics) Delivered(octets int64) {
	if m == nil {
		return
	}
	m.deliveredOctets.Add(float64(max(octets, 0)))
}

// Commit counts something that the store made durable, and the time that took; kind is one of the Commit constants.
func (m *Metrics) Commit(kind string, d time.Duration) {
	if m == nil {
		return
	}
	m.commits.of(kind).Inc()
	m.commitTime.Observe(d.Seconds())
}
