package pop3client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strconv"
	"time"

	"github.com/postamt/postamt/pop3"
)

// Security says how a connection is protected.
type Security uint8

const (
	// TLS speaks TLS from the first octet, on port 995 unless the address says otherwise. It is the zero value, and what
	// RFC 8314 §3 recommends.
	TLS Security = iota
	// STLS connects in the clear, on port 110 unless the address says otherwise, and switches to TLS before anything else
	// is done. A server that does not do it gets a QUIT and nothing more: there is no falling back.
	STLS
	// Clear never uses TLS. Login then only takes mechanisms that do not show the password, unless AllowCleartext is set.
	Clear
)

// String returns "tls", "stls" or "clear".
func (s Security) String() string {
	switch s {
	case TLS:
		return "tls"
	case STLS:
		return "stls"
	case Clear:
		return "clear"
	}
	return "unknown"
}

// port returns the default port.
func (s Security) port() string {
	if s == TLS {
		return strconv.Itoa(pop3.PortTLS)
	}
	return strconv.Itoa(pop3.Port)
}

// Options say how to connect and what to put up with. The zero value, and a nil *Options, are safe and useful. Durations
// and limits: 0 is the default, a negative one means none.
type Options struct {
	// Security says how the connection is protected. Default: TLS.
	Security Security
	// AllowCleartext permits Login to send a password that others on the way can read: with PLAIN, LOGIN, USER and PASS on
	// a connection without TLS, or whose server was not verified. Default: refused with ErrCleartext.
	AllowCleartext bool

	// RootCAs are the authorities that may vouch for the server. Default: those of TLSConfig, else the system's.
	RootCAs *x509.CertPool
	// TLSConfig is where the TLS settings start from (client certificates, versions, ...). It is copied. What is missing is
	// filled in: ServerName from the address, TLS 1.2 as the least version, ALPN "pop3". With its InsecureSkipVerify the
	// server is not verified, and Login treats the connection as one in the clear. Default: an empty one.
	TLSConfig *tls.Config
	// Pins, if there are any, are the public keys of which the server's certificate must have one; see PinsOnly.
	Pins []Pin
	// PinsOnly makes a fitting pin enough: names, dates and authorities are not looked at. It is for servers with a
	// self-signed certificate. Default: a pin is asked for on top of the usual verification.
	PinsOnly bool
	// VerifyServer, if set, is asked about each server's certificate after the usual verification, whose result is
	// err, and has the last word: nil goes on, and the server then counts as verified. TrustOnFirstUse makes one.
	VerifyServer func(state tls.ConnectionState, err error) error

	// DialContext makes the connection, for instance through a proxy. Default: a net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Mechanisms are the ways to sign in that Login may use: names of SASL mechanisms, and "USER" for USER and PASS.
	// Login takes the best one that the server offers, never one that is not in the list. Default: all.
	Mechanisms []string
	// NoInitialResponse sends the initial response of AUTH on a line of its own, for servers that refuse it on the
	// command's line (Microsoft 365 does for XOAUTH2). Default: on the command's line if it fits (RFC 5034 §4).
	NoInitialResponse bool
	// NoPipelining makes Batch send one command at a time also to servers that announce PIPELINING.
	NoPipelining bool
	// LongArguments lifts the limit of 40 octets for arguments that RFC 1939 §3 sets for servers without CAPA.
	LongArguments bool
	// BareLF takes a line that ends with a bare LF for a line also in messages, so that `.` LF ends one. It is for servers
	// that send LF in place of CRLF in messages alone; in a message from any other server it can cut off what follows a
	// lone dot. Default: for each response the kind of line end that its status line has.
	BareLF bool

	// ConnectTimeout bounds connecting, the TLS handshake and the greeting, taken together. Default: 1 minute.
	ConnectTimeout time.Duration
	// Timeout bounds the time without progress: for each kibioctet of a response, or its end, and for each write. Time
	// that the caller takes does not count. Default: 2 minutes.
	Timeout time.Duration
	// QuitTimeout takes the place of Timeout for QUIT, where servers do the work of removing. Default: 5 minutes.
	QuitTimeout time.Duration

	// MaxLine bounds a status line, a line of a listing and a challenge, in octets. Lines of messages have no bound.
	// Default: 64 KiB.
	MaxLine int
	// MaxListing bounds a response to LIST or UIDL, in octets. Default: 256 MiB.
	MaxListing int64
	// MaxMessage bounds a response to RETR or TOP, in octets. Bodies are never held in memory. Default: 64 GiB.
	MaxMessage int64
	// MaxDrain bounds what is read and thrown away, in octets, to go on after a body or a listing that the caller did not
	// read to the end. Beyond it the connection is closed. Default: 1 MiB.
	MaxDrain int64

	// Trace, if set, hears each line that is sent and each status line that is received, without its end and without
	// secrets, synchronously. Bodies and listings are not traced.
	Trace func(sent bool, line string)
}

// Bounds that are not options, see also the limits of package pop3.
const (
	// maxCapa bounds the response to CAPA, in octets.
	maxCapa = 64 << 10
	// minProgress is how many octets make progress.
	minProgress = 1 << 10
	// readBuffer is the size of the buffer that responses are read into.
	readBuffer = 32 << 10
)

// withDefaults returns a copy of o in which every default is filled in and "none" is 0 for durations, -1 for limits.
func (o *Options) withDefaults() *Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.DialContext == nil {
		c.DialContext = new(net.Dialer).DialContext
	}
	c.ConnectTimeout = durationOr(c.ConnectTimeout, time.Minute)
	c.Timeout = durationOr(c.Timeout, 2*time.Minute)
	c.QuitTimeout = durationOr(c.QuitTimeout, 5*time.Minute)
	if c.MaxLine == 0 {
		c.MaxLine = 64 << 10
	} else if c.MaxLine < 0 {
		c.MaxLine = 1 << 30 // a line is held in memory, so there is no such thing as none
	}
	c.MaxListing = limitOr(c.MaxListing, 256<<20)
	c.MaxMessage = limitOr(c.MaxMessage, 64<<30)
	c.MaxDrain = limitOr(c.MaxDrain, 1<<20)
	return &c
}

func durationOr(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return max(d, 0)
}

func limitOr(n, def int64) int64 {
	if n == 0 {
		return def
	}
	return max(n, -1)
}
