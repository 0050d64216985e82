package pop3server

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/postamt/postamt/pop3"
)

// A Cleartext says where a password may cross the wire without TLS. Mechanisms that do not show the password are not
// concerned; see Options.RequireTLS.
type Cleartext uint8

const (
	// CleartextNever allows it nowhere (RFC 8314 §4.1).
	CleartextNever Cleartext = iota
	// CleartextLoopback allows it for clients on the same machine: loopback addresses, unix sockets and pipes.
	CleartextLoopback
	// CleartextAlways allows it. Anybody on the way can read passwords.
	CleartextAlways
)

// Options are the settings of a Server. Backend is required; the zero value of everything else is safe and useful. Where
// a number or duration says so, a negative value turns the limit off.
type Options struct {
	// Backend knows accounts and mail.
	Backend Backend

	// TLSConfig is for STLS and ServeTLS. It needs a certificate, in whatever way. Nil means that STLS is not offered.
	// The server works on a copy, whose MinVersion is at least TLS 1.2 and whose NextProtos is "pop3" if it was empty.
	TLSConfig *tls.Config
	// Cleartext says where a password may cross the wire without TLS.
	Cleartext Cleartext
	// RequireTLS refuses every way of signing in without TLS, also those that do not show the password.
	RequireTLS bool

	// Hostname stands in the challenges of APOP and CRAM-MD5. Default: the machine's name.
	Hostname string
	// Greeting is the text that greets clients. Default: "POP3 server ready". Angle brackets are taken out, for clients
	// would see APOP in them.
	Greeting string
	// Implementation is announced in CAPA after sign-in (RFC 2449 §6.9). Empty means not at all, and so does what does not
	// fit on a line of visible ASCII.
	Implementation string
	// ImplementationEarly announces it before sign-in, too.
	ImplementationEarly bool
	// APOP offers APOP where the backend has secrets. Weak (RFC 6151): for old clients only.
	APOP bool
	// CRAMMD5 offers AUTH CRAM-MD5 where the backend has secrets. Weak (RFC 6151): for old clients only.
	CRAMMD5 bool
	// HideAuthList answers AUTH without an argument with -ERR, as RFC 5034 has it. By default the mechanisms are listed:
	// Outlook asks in this way.
	HideAuthList bool
	// EnableLast answers LAST as RFC 1460 has it.
	EnableLast bool
	// BareLF makes a bare LF end a command, too.
	BareLF bool
	// VerifyWire does not take a backend's word for FormWire and byte-stuffs such bodies like those of FormCRLF. It
	// costs the kernel's copying.
	VerifyWire bool

	// IdleTimeout is the autologout timer. Default, and least, 10 minutes (RFC 1939 §3).
	IdleTimeout time.Duration
	// HandshakeTimeout bounds a TLS handshake. Default 10 seconds.
	HandshakeTimeout time.Duration
	// WriteTimeout is how long a reply waits for a client that takes nothing of it; on a TCP connection (on Linux) up to
	// twice as long. Elsewhere it bounds the time for the next 256 KiB. Default 1 minute.
	WriteTimeout time.Duration
	// BackendTimeout bounds each call of Auth's functions, of Open, Scan and Update. Default 1 minute.
	BackendTimeout time.Duration
	// PeerTimeout is how long a TCP peer may be silent to the kernel's probes, or leave octets unacknowledged, before the
	// connection is cut, so that its lock is free soon. Default 30 seconds. Negative: as the listener was set up.
	PeerTimeout time.Duration

	// MaxConns bounds connections. Default 20000. Negative: no limit.
	MaxConns int
	// MaxConnsPerAddr bounds connections of one address, for IPv6 of one /64. Default 100. Negative: no limit.
	MaxConnsPerAddr int
	// MaxConnsPerUser bounds connections that have signed in as one user or are about to. Default 10. Negative: no limit.
	MaxConnsPerUser int
	// MaxPreAuthOctets bounds what a client may send before it has signed in. Default 64 KiB. Negative: no limit.
	MaxPreAuthOctets int64
	// MaxBadCommands is how many unknown, malformed or misplaced commands are answered: before sign-in in all, after it
	// in a row. The next one ends the connection. Default 20. Negative: no limit.
	MaxBadCommands int
	// MaxFailedAuths is how many failed sign-ins end the connection. Default 5. Negative: no limit.
	MaxFailedAuths int
	// SASLLineLimit is the longest line of a SASL exchange, in octets with its line end. Default 12288.
	SASLLineLimit int

	// Logger gets one line at the end of each session, failed sign-ins and faults. Nil means none. User names are logged,
	// passwords and content never.
	Logger *slog.Logger
	// Hooks are for metrics.
	Hooks Hooks
}

// withDefaults returns the options with defaults filled in.
func (o Options) withDefaults() Options {
	if o.Hostname == "" {
		o.Hostname, _ = os.Hostname()
	}
	o.Hostname = cmp.Or(keep(o.Hostname, isHostOctet), "localhost")
	o.Greeting = keep(cmp.Or(o.Greeting, "POP3 server ready"), func(c byte) bool { return c != '<' && c != '>' })
	if o.Implementation != "" {
		impl := pop3.Capability{Name: pop3.CapImplementation, Params: strings.Fields(o.Implementation)}
		if impl.Check() != nil {
			o.Implementation = ""
		}
	}
	o.IdleTimeout = max(o.IdleTimeout, pop3.MinAutologout)
	o.HandshakeTimeout = orDefault(o.HandshakeTimeout, 10*time.Second)
	o.WriteTimeout = orDefault(o.WriteTimeout, time.Minute)
	o.BackendTimeout = orDefault(o.BackendTimeout, time.Minute)
	o.PeerTimeout = cmp.Or(o.PeerTimeout, 30*time.Second)
	o.MaxConns = cmp.Or(o.MaxConns, 20_000)
	o.MaxConnsPerAddr = cmp.Or(o.MaxConnsPerAddr, 100)
	o.MaxConnsPerUser = cmp.Or(o.MaxConnsPerUser, 10)
	o.MaxPreAuthOctets = cmp.Or(o.MaxPreAuthOctets, 64<<10)
	o.MaxBadCommands = cmp.Or(o.MaxBadCommands, 20)
	o.MaxFailedAuths = cmp.Or(o.MaxFailedAuths, 5)
	if o.SASLLineLimit <= 0 {
		o.SASLLineLimit = 12288
	}
	o.SASLLineLimit = max(o.SASLLineLimit, pop3.MaxCommand)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// orDefault returns d, or def if d is not positive.
func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// keep returns s with only the octets that ok likes.
func keep(s string, ok func(byte) bool) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if ok(s[i]) {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// isHostOctet reports whether c can stand in a domain name or an address literal.
func isHostOctet(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._[]:", c) >= 0
}

// over reports whether n is more than limit allows; a negative limit allows everything.
func over[T int | int64](n, limit T) bool { return limit >= 0 && n > limit }
