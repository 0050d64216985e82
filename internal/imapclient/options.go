package imapclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"

	"github.com/postamt/postamt/pop3/pop3client"
)

// Security says how a connection is protected.
type Security uint8

// The kinds of protection.
const (
	// TLS speaks TLS from the first octet, as on port 993.
	TLS Security = iota
	// StartTLS connects in the clear, as on port 143, and goes no further without TLS.
	StartTLS
	// Clear has no protection.
	Clear
)

// Options say where the server is and how to get in.
type Options struct {
	// Addr is host:port.
	Addr string
	// Security protects the connection. Default: TLS.
	Security Security
	// AllowCleartext permits to send a password that others on the way can read.
	AllowCleartext bool

	// User is who to sign in as.
	User string
	// Password is what to sign in with, unless there is a Token.
	Password string
	// Token, if not empty, is an access token of OAuth 2.0: then OAUTHBEARER or XOAUTH2 is used, and nothing else, and
	// nothing without TLS.
	Token string
	// Mechanisms are the ways to sign in that may be used: names of SASL mechanisms, "LOGIN" also for the command. The best
	// one that the server offers is taken. Default: all.
	Mechanisms []string

	// RootCAs, TLSConfig, Pins, PinsOnly and VerifyServer say who vouches for the server, as in pop3client.Options.
	RootCAs      *x509.CertPool
	TLSConfig    *tls.Config
	Pins         []pop3client.Pin
	PinsOnly     bool
	VerifyServer func(state tls.ConnectionState, err error) error

	// DialContext makes the connection, for instance through a proxy. Default: a net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// Timeout is how long the server may make no progress. Default: 2 minutes.
	Timeout time.Duration
	// MaxMessage bounds the text of a message, in octets. Default: 64 GiB.
	MaxMessage int64
}

// Bounds that are not options.
const (
	// connectTime bounds connecting, the TLS handshake and signing in, taken together.
	connectTime = time.Minute
	// maxResponse bounds what the server says at a time, besides the text of a message that was asked for, in octets.
	maxResponse = 1 << 20
	// maxListed is how many messages a folder may have.
	maxListed = 5_000_000
	// maxDrain is how much of a message is read and thrown away to go on with the connection, in octets.
	maxDrain = 1 << 20
	// maxFolder is the longest name of a folder, in octets.
	maxFolder = 1000
	// maxRounds bounds the challenges of one sign-in.
	maxRounds = 20
	// maxLine bounds a line before the sign-in is done, in octets.
	maxLine = 16 << 10
	// maxUntagged is how many lines without a tag a command before the sign-in may be answered with.
	maxUntagged = 100
)

func (o Options) withDefaults() Options {
	if o.DialContext == nil {
		o.DialContext = new(net.Dialer).DialContext
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = 64 << 30
	}
	return o
}
