package smtpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"
)

// Security says how a connection is protected.
type Security uint8

// The kinds of protection. The zero value is the safe one for any server.
const (
	// StartTLS asks for TLS on a connection that begins in the clear, and goes no further without it.
	StartTLS Security = iota
	// ImplicitTLS begins with TLS, as on port 465.
	ImplicitTLS
	// Cleartext has no protection: for this machine, or a network of one's own.
	Cleartext
)

// Options say where the server is and how to talk to it. Only Addr is required.
type Options struct {
	// Addr is host:port, or the path of a Unix socket, which begins with a slash.
	Addr string
	// LMTP speaks LMTP instead of SMTP.
	LMTP bool
	// Security protects the connection. A Unix socket needs none and has none.
	Security Security
	// TLS is the configuration for TLS; nil means that of the system. Its ServerName, if empty, becomes the host of Addr.
	TLS *tls.Config
	// LocalName is how the client calls itself; empty is localhost.
	LocalName string
	// User and Password sign in, if User is not empty. Password is called for each connection.
	User     string
	Password func(ctx context.Context) (string, error)
	// Timeout is how long the server may take for one answer, or for taking in one block; 0 is 5 minutes (RFC 5321
	// §4.5.3.2). For the answer after a message it is at least 10.
	Timeout time.Duration
	// Dial makes the connection; nil means the system's dialer. For proxies and tests.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	unbound bool // sign in without channel binding
}

// Time limits.
const (
	// DefaultTimeout is how long a server may take for one answer.
	DefaultTimeout = 5 * time.Minute
	// FinishTimeout is the least a server is given for the answer after a message: giving up too early makes duplicates.
	FinishTimeout = 10 * time.Minute
)

func (o Options) network() string {
	if strings.HasPrefix(o.Addr, "/") {
		return "unix"
	}
	return "tcp"
}

func (o Options) complete() (Options, error) {
	if o.network() == "unix" {
		o.Security = Cleartext
	} else if _, _, err := net.SplitHostPort(o.Addr); err != nil {
		return o, errors.New("the server's address must be host:port, or the path of a Unix socket")
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.LocalName == "" {
		o.LocalName = "localhost"
	}
	if strings.ContainsFunc(o.LocalName, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return o, errors.New("the client's own name must be a host name")
	}
	if o.User != "" && o.Password == nil {
		return o, errors.New("a user without a password cannot sign in")
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: min(o.Timeout, time.Minute)}).DialContext
	}
	return o, nil
}

func (o Options) tlsConfig() *tls.Config {
	c := o.TLS.Clone()
	if c == nil {
		c = &tls.Config{}
	}
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(o.Addr)
	}
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS12
	}
	return c
}
