package main

// A line of the table.
type line struct {
	name string
	unit string
	spec string
	// value is the figure of one run; ok is false where there is none.
	value func(res results, r run) (v float64, ok bool)
	more  bool // more is better
	// The target: at most atMost; or, beside the best Dovecot, at least times as good.
	atMost float64
	times  float64
}

// lines are those of the table that Postamt is measured by, in its order.
var lines = []line{
	{name: "login, plain", unit: "CPU ms", spec: "login", value: perOp, atMost: 0.15},
	{name: "login, TLS (full handshake)", unit: "CPU ms", spec: "login-tls", value: perOp, atMost: 0.7},
	{name: "first login of an account (cold argon2id)", unit: "CPU ms", spec: "login-cold", value: perOp},
	{name: "poll (CAPA STAT UIDL LIST), 100 messages", unit: "CPU ms", spec: "check-100", value: perOp, atMost: 0.2},
	{name: "poll, 10,000 messages", unit: "CPU ms", spec: "check-10k", value: perOp, atMost: 2},
	{name: "poll, 100,000 messages", unit: "CPU ms", spec: "check-100k", value: perOp, atMost: 15},
	{name: "first open of 100,000 (cold caches of the server)", unit: "CPU ms", spec: "cold-100k", value: firstOpen, atMost: 40},
	{name: "poll, 1,000,000 messages, warm", unit: "CPU ms", spec: "check-1m", value: perOp, atMost: 150},
	{name: "drain, mail mix", unit: "CPU s/GB", spec: "drain-mix", value: perGB, atMost: 0.6},
	{name: "the same, pipelined", unit: "CPU s/GB", spec: "drain-mix-pipelined", value: perGB},
	{name: "drain, mail mix, TLS", unit: "CPU s/GB", spec: "drain-mix-tls", value: perGB, atMost: 1.2},
	{name: "drain, 2 KB messages", unit: "CPU us each", spec: "drain-tiny", value: perMessage, atMost: 15},
	{name: "the same, pipelined", unit: "CPU us each", spec: "drain-tiny-pipelined", value: perMessage, atMost: 9},
	{name: "one 25 MB message", unit: "CPU s/GB", spec: "drain-big", value: perGB, atMost: 0.5},
	{name: "the same, TLS", unit: "CPU s/GB", spec: "drain-big-tls", value: perGB, atMost: 0.8},
	{name: "memory, logged in, plain", unit: "PSS KiB", spec: "idle-plain", value: perConnection, atMost: 12},
	{name: "memory, logged in, TLS", unit: "PSS KiB", spec: "idle-tls", value: perConnection, atMost: 40},
	{name: "memory, before login, plain", unit: "PSS KiB", spec: "idle-preauth-plain", value: perConnection, atMost: 8},
	{name: "memory, before login, TLS", unit: "PSS KiB", spec: "idle-preauth-tls", value: perConnection, atMost: 30},
	{name: "10,000 sessions held: p99 of 50 busy ones, to that of the 50 alone", unit: "times", spec: "held", value: ratio, atMost: 2},
	{name: "memory of each of them", unit: "PSS KiB", spec: "held", value: perHeld},
	{name: "delivery over LMTP, durable, 8 at a time, 20 KB", unit: "messages/s", spec: "deliver", value: perSecond, more: true, times: 2},
	{name: "the same", unit: "CPU ms each", spec: "deliver", value: perOp, times: 2},
	{name: "the same, 32 at a time", unit: "messages/s", spec: "deliver-32", value: perSecond, more: true},
	{name: "QUIT with 10,000 deletions, durable", unit: "wall ms", spec: "delete", value: quit, times: 5},
	{name: "the same", unit: "CPU ms", spec: "delete", value: quitCPU, times: 5},
}

func perOp(_ results, r run) (float64, bool)      { return r.CPUPerOp, r.CPUPerOp > 0 }
func perGB(_ results, r run) (float64, bool)      { return r.CPUPerGB, r.CPUPerGB > 0 }
func perMessage(_ results, r run) (float64, bool) { return r.CPUPerKMsg, r.CPUPerKMsg > 0 }
func perSecond(_ results, r run) (float64, bool)  { return r.OpsPerS, r.OpsPerS > 0 }

func perConnection(_ results, r run) (float64, bool) {
	if r.Idle == nil {
		return 0, false
	}
	return r.Idle.PSS, r.Idle.PSS > 0
}

func perHeld(_ results, r run) (float64, bool) {
	if r.Held == nil {
		return 0, false
	}
	return r.Held.PSS, r.Held.PSS > 0
}

func ratio(_ results, r run) (float64, bool) {
	if r.Held == nil || r.Held.Alone <= 0 {
		return 0, false
	}
	return r.Held.Among / r.Held.Alone, true
}

func quit(_ results, r run) (float64, bool) {
	if r.Delete == nil {
		return 0, false
	}
	return r.Delete.Quit, r.Delete.Quit > 0
}

func quitCPU(_ results, r run) (float64, bool) {
	if r.Delete == nil {
		return 0, false
	}
	return r.Delete.QuitCPU, r.Delete.QuitCPU > 0
}

// firstOpen is a session that opens a maildrop for the first time. Where that takes a fresh server it also pays for the
// first verification of a password, which is measured in the same round with other accounts, cold and warm, and is another
// line of the table: it is taken away here.
func firstOpen(res results, r run) (float64, bool) {
	v := r.CPUPerOp
	cold, warm := res.of("login-cold", r.Target, r.Round), res.of("login-warm", r.Target, r.Round)
	if len(cold) == 1 && len(warm) == 1 && cold[0].Errors == 0 && warm[0].Errors == 0 {
		v -= cold[0].CPUPerOp - warm[0].CPUPerOp
	}
	return v, v > 0
}
