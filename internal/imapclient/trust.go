package imapclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"

	"github.com/postamt/postamt/pop3/pop3client"
)

// startTLS makes the handshake and verifies the server.
func (o *Options) startTLS(ctx context.Context, raw net.Conn, host string) (*tls.Conn, error) {
	config := new(tls.Config)
	if o.TLSConfig != nil {
		config = o.TLSConfig.Clone()
	}
	config.ServerName = host
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12) // RFC 8996, RFC 9325 §3.1.1
	config.NextProtos = []string{"imap"}
	if o.RootCAs != nil {
		config.RootCAs = o.RootCAs
	}
	// VerifyConnection does what crypto/tls would do by itself, so that pins and the caller's function can take part.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		state.ServerName = host
		return o.verify(config.RootCAs, state)
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return conn, nil
}

func (o *Options) verify(roots *x509.CertPool, state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server showed no certificate")
	}
	var err error
	if !o.PinsOnly || len(o.Pins) == 0 {
		err = verifyChain(roots, state)
	}
	if got := pop3client.PinOf(state.PeerCertificates[0]); err == nil && len(o.Pins) > 0 && !slices.Contains(o.Pins, got) {
		err = &pop3client.PinError{Host: state.ServerName, Got: got}
	}
	if o.VerifyServer != nil {
		err = o.VerifyServer(state, err)
	}
	return err
}

// verifyChain is the usual verification: authorities, dates and names (RFC 9525).
func verifyChain(roots *x509.CertPool, state tls.ConnectionState) error {
	opts := x509.VerifyOptions{Roots: roots, DNSName: state.ServerName, Intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(cert)
	}
	if _, err := state.PeerCertificates[0].Verify(opts); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}
