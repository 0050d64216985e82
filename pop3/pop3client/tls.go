package pop3client

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postamt/postamt/pop3"
)

// A Pin is the SHA-256 digest of a certificate's public key (its DER-encoded SubjectPublicKeyInfo). It stays the same
// when a certificate is renewed for the same key.
type Pin [sha256.Size]byte

// PinOf returns the pin of a certificate.
func PinOf(cert *x509.Certificate) Pin { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }

// String returns the pin as ParsePin reads it: "sha256/" and base64.
func (p Pin) String() string { return pinPrefix + base64.StdEncoding.EncodeToString(p[:]) }

const pinPrefix = "sha256/"

// ParsePin reads a pin in the form "sha256/" and base64.
func ParsePin(s string) (Pin, error) {
	var p Pin
	b64, ok := strings.CutPrefix(s, pinPrefix)
	b, err := base64.StdEncoding.Strict().DecodeString(b64)
	if !ok || err != nil || len(b) != len(p) {
		return Pin{}, fmt.Errorf("pop3client: %.100q is no pin: it must be %q and the base64 of %d octets", s, pinPrefix, len(p))
	}
	return Pin(b), nil
}

// A PinError says that a server's key is not one of those that were asked for, or remembered.
type PinError struct {
	Host string
	// Got is the pin of the server's certificate.
	Got Pin
}

// Error returns one sentence.
func (e *PinError) Error() string {
	return "the key of " + e.Host + " is not the one that is known for it (it is " + e.Got.String() +
		"): somebody may be in the middle, or the server has a new key"
}

// TrustOnFirstUse returns a function for Options.VerifyServer that trusts a key seen for the first time, even if the usual
// verification fails, and from then on that key only: another one is a *PinError.
//
// known returns the pin that is remembered for host, if there is one; remember keeps one durably, before the connection
// is used. For a host that is remembered, nothing but the pin counts.
func TrustOnFirstUse(known func(host string) (Pin, bool), remember func(host string, pin Pin) error,
) func(tls.ConnectionState, error) error {
	return func(state tls.ConnectionState, _ error) error {
		got := PinOf(state.PeerCertificates[0])
		want, ok := known(state.ServerName)
		switch {
		case !ok:
			return remember(state.ServerName, got)
		case got != want:
			return &PinError{Host: state.ServerName, Got: got}
		}
		return nil
	}
}

// startTLS makes the handshake and verifies the server.
func (c *Client) startTLS(ctx context.Context) error {
	if err := c.begin(ctx, "TLS"); err != nil {
		c.Close()
		return err
	}
	if err := c.raw.SetDeadline(time.Time{}); err != nil { // ctx watches over the handshake
		return c.fail(err)
	}
	var server verification
	conn := tls.Client(c.raw, c.tlsConfig(&server))
	if err := conn.HandshakeContext(ctx); err != nil {
		return c.fail(err)
	}
	state := conn.ConnectionState()
	state.VerifiedChains = server.chains
	c.conn.Conn, c.tls, c.secure = conn, &state, server.ok
	c.end()
	return c.err
}

// verification is what became of the verification of a server.
type verification struct {
	ok     bool
	chains [][]*x509.Certificate // if authorities were asked
}

// tlsConfig returns the settings of the handshake, which fills in server.
func (c *Client) tlsConfig(server *verification) *tls.Config {
	config := new(tls.Config)
	if c.opt.TLSConfig != nil {
		config = c.opt.TLSConfig.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = c.host
	}
	if config.MinVersion == 0 {
		config.MinVersion = tls.VersionTLS12 // RFC 8996, RFC 9325 §3.1.1
	}
	if config.NextProtos == nil {
		config.NextProtos = []string{pop3.ALPN}
	}
	if c.opt.RootCAs != nil {
		config.RootCAs = c.opt.RootCAs
	}
	skip, also := config.InsecureSkipVerify, config.VerifyConnection
	// VerifyConnection does what crypto/tls would do by itself, so that pins and the caller's function can take part.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		state.ServerName = config.ServerName
		err := c.verify(config, &state, skip)
		if err == nil && also != nil {
			err = also(state)
		}
		server.chains = state.VerifiedChains
		server.ok = err == nil && (!skip || c.opt.VerifyServer != nil || len(c.opt.Pins) > 0)
		return err
	}
	return config
}

func (c *Client) verify(config *tls.Config, state *tls.ConnectionState, skip bool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server showed no certificate")
	}
	var err error
	if !skip && !(c.opt.PinsOnly && len(c.opt.Pins) > 0) {
		err = verifyChain(config, state)
	}
	if err == nil {
		err = c.verifyPin(state)
	}
	if c.opt.VerifyServer != nil {
		err = c.opt.VerifyServer(*state, err)
	}
	return err
}

// verifyChain is the usual verification: authorities, dates and names (RFC 9525).
func verifyChain(config *tls.Config, state *tls.ConnectionState) error {
	opts := x509.VerifyOptions{
		Roots:         config.RootCAs,
		DNSName:       config.ServerName,
		Intermediates: x509.NewCertPool(),
	}
	if config.Time != nil {
		opts.CurrentTime = config.Time()
	}
	for _, cert := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(cert)
	}
	chains, err := state.PeerCertificates[0].Verify(opts)
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	state.VerifiedChains = chains
	return nil
}

func (c *Client) verifyPin(state *tls.ConnectionState) error {
	if len(c.opt.Pins) == 0 {
		return nil
	}
	got := PinOf(state.PeerCertificates[0])
	for _, p := range c.opt.Pins {
		if p == got {
			return nil
		}
	}
	return &PinError{Host: state.ServerName, Got: got}
}
