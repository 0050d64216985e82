package pop3server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/postamt/postamt/pop3"
	"github.com/postamt/postamt/sasl"
)

// connKey is the context key under which a handshake finds its Conn.
type connKey struct{}

// serverTLS makes the server's own configuration from the one in its options, or nil if there is no certificate in it.
//
// It is shared by all connections, so that it keeps the keys of session tickets. The certificate that a client was
// shown is needed for tls-server-end-point, and crypto/tls does not tell, so each connection chooses under our eyes.
func (s *Server) serverTLS(from *tls.Config) *tls.Config {
	if from == nil || len(from.Certificates) == 0 && from.GetCertificate == nil && from.GetConfigForClient == nil {
		return nil
	}
	base := harden(from.Clone())
	choose := base.GetConfigForClient
	base.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		own := base
		if choose != nil {
			chosen, err := choose(hello)
			if err != nil {
				return nil, err
			}
			if chosen != nil {
				own = harden(chosen.Clone())
			}
		}
		c, ok := hello.Context().Value(connKey{}).(*Conn)
		if !ok {
			return own, nil
		}
		return c.watchCertificate(own, hello), nil
	}
	return base
}

// harden sets what RFC 8314 §4 and RFC 9325 §3 ask of a mail server, as far as it is not stricter already.
func harden(cfg *tls.Config) *tls.Config {
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	if len(cfg.NextProtos) == 0 {
		cfg.NextProtos = []string{pop3.ALPN}
	}
	// Small first records are meant for browsers. Here they would be one system call for each 1.4 KB of a message.
	cfg.DynamicRecordSizingDisabled = true
	return cfg
}

// watchCertificate returns a copy of cfg that notes the certificate for c.
func (c *Conn) watchCertificate(cfg *tls.Config, hello *tls.ClientHelloInfo) *tls.Config {
	own := cfg.Clone()
	own.GetConfigForClient = nil
	certs := own.Certificates
	get := own.GetCertificate
	pick := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := pickCertificate(certs, get, hello)
		if err == nil {
			c.cert = cert
		}
		return cert, err
	}
	own.Certificates, own.GetCertificate = nil, pick
	// A resumed session shows no certificate and is bound to the one of its first handshake. That is the one that would
	// be chosen now, unless it was renewed meanwhile.
	c.resumed = func() { _, _ = pick(hello) }
	return own
}

// pickCertificate chooses as crypto/tls does.
func pickCertificate(certs []tls.Certificate, get func(*tls.ClientHelloInfo) (*tls.Certificate, error), hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if get != nil && (len(certs) == 0 || hello.ServerName != "") {
		if cert, err := get(hello); cert != nil || err != nil {
			return cert, err
		}
	}
	if len(certs) == 0 {
		return nil, errors.New("pop3server: no certificate")
	}
	for i := range certs {
		if len(certs) == 1 || hello.SupportsCertificate(&certs[i]) == nil {
			return &certs[i], nil
		}
	}
	return &certs[0], nil
}

// startTLS does the handshake. What the client sent before it is thrown away (RFC 2595 §4).
func (c *Conn) startTLS() error {
	c.r.Reset(&c.in)
	below := &patientConn{Conn: c.out.stream, patience: c.out.patience}
	tc := tls.Server(below, c.s.tls)
	if err := c.expect(c.s.opt.HandshakeTimeout); err != nil {
		return err
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.s.opt.HandshakeTimeout)); err != nil {
		return end(ReasonClosed, err)
	}
	if err := c.handshake(tc); err != nil {
		if c.isDraining() {
			return end(ReasonShutdown, nil)
		}
		return end(ReasonTLS, err)
	}
	state := tc.ConnectionState()
	if c.cert == nil && c.resumed != nil {
		c.resumed()
	}
	c.resumed = nil
	c.mu.Lock()
	c.tls = tc
	c.mu.Unlock()
	c.in.stream, c.out.stream = tc, tc
	c.out.writing = deadline{} // it was that of the handshake at last
	c.out.secure, below.on = true, true
	c.sum.TLSVersion = tls.VersionName(state.Version)
	c.sum.TLSCipher = tls.CipherSuiteName(state.CipherSuite)
	return nil
}

// handshake runs in a goroutine of its own and waits for it: the deep stack that a handshake needs goes with it, and
// does not stay with an idle session (4 of 16 KB, measured).
func (c *Conn) handshake(tc *tls.Conn) error {
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if p := recover(); p != nil { // in a callback of the configuration
				err = fmt.Errorf("panic in the TLS handshake: %v", p)
			}
			done <- err
		}()
		// The context carries the Conn and is never done: the deadlines and Close end a handshake.
		err = tc.HandshakeContext(context.WithValue(context.Background(), connKey{}, c))
	}()
	return <-done
}

// channelBindings returns the bindings that this connection has, the stronger one first (RFC 9266, RFC 5929).
func (c *Conn) channelBindings() []sasl.ChannelBinding {
	if c.tls == nil || c.bindings != nil {
		return c.bindings
	}
	found := []sasl.ChannelBinding{}
	state := c.tls.ConnectionState()
	if b, err := sasl.TLSExporter(&state); err == nil {
		found = append(found, b)
	}
	if c.cert != nil && len(c.cert.Certificate) > 0 {
		leaf := c.cert.Leaf
		if leaf == nil {
			leaf, _ = x509.ParseCertificate(c.cert.Certificate[0])
		}
		if leaf != nil {
			if b, err := sasl.TLSServerEndPoint(leaf); err == nil {
				found = append(found, b)
			}
		}
	}
	c.bindings = found
	return found
}
