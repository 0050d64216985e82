package sasl

import (
	"crypto"
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// Types of channel binding that this package makes.
const (
	// BindingTLSExporter is tls-exporter (RFC 9266).
	BindingTLSExporter = "tls-exporter"
	// BindingTLSServerEndPoint is tls-server-end-point (RFC 5929 §4).
	BindingTLSServerEndPoint = "tls-server-end-point"
)

// A ChannelBinding ties an exchange to the TLS connection that it runs in, so that somebody in the middle cannot pass it
// on. Both ends must find the same Data.
type ChannelBinding struct {
	// Type is the registered name.
	Type string
	// Data is what the two ends compare. It is not secret.
	Data []byte
}

// TLSExporter returns the tls-exporter binding of a connection. It fails for a connection whose keys are not bound to
// it: TLS 1.2 without the extended master secret, or with renegotiation. One connection must be bound to one successful
// exchange at most (RFC 9266 §4.1).
func TLSExporter(state *tls.ConnectionState) (ChannelBinding, error) {
	if !state.HandshakeComplete {
		return ChannelBinding{}, errors.New("sasl: no channel binding before the TLS handshake is complete")
	}
	// The context is the zero-length string, which for TLS 1.2 is not the same as no context.
	data, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", []byte{}, 32)
	if err != nil {
		return ChannelBinding{}, fmt.Errorf("sasl: no tls-exporter channel binding: %w", err)
	}
	return ChannelBinding{Type: BindingTLSExporter, Data: data}, nil
}

// TLSServerEndPoint returns the tls-server-end-point binding for the certificate that the server shows. It fails for a
// certificate whose signature has no single hash function (Ed25519): for those the RFC defines none.
func TLSServerEndPoint(cert *x509.Certificate) (ChannelBinding, error) {
	var h crypto.Hash
	switch cert.SignatureAlgorithm {
	// RFC 5929 §4.1: in place of MD5 and SHA-1, SHA-256.
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1,
		x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.DSAWithSHA256, x509.ECDSAWithSHA256:
		h = crypto.SHA256
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		h = crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		h = crypto.SHA512
	default:
		return ChannelBinding{}, fmt.Errorf("sasl: no tls-server-end-point channel binding for a certificate signed with %v",
			cert.SignatureAlgorithm)
	}
	f := h.New()
	f.Write(cert.Raw)
	return ChannelBinding{Type: BindingTLSServerEndPoint, Data: f.Sum(nil)}, nil
}

// ClientBinding returns the channel binding for a client to use on a connection: tls-exporter or, where TLS cannot do
// that, tls-server-end-point. It is nil if there is none, as without TLS, which is a nil state.
func ClientBinding(state *tls.ConnectionState) *ChannelBinding {
	if state == nil {
		return nil
	}
	b, err := TLSExporter(state)
	if err != nil && len(state.PeerCertificates) > 0 {
		b, err = TLSServerEndPoint(state.PeerCertificates[0])
	}
	if err != nil {
		return nil
	}
	return &b
}
