package tlsconf

import "crypto/tls"

// harden returns the settings of RFC 8314 §4 and RFC 9325.
func harden(minVersion string, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	oldest := uint16(tls.VersionTLS12) // RFC 8996: nothing older
	if minVersion == "1.3" {
		oldest = tls.VersionTLS13
	}
	return &tls.Config{
		GetCertificate: certificate,
		MinVersion:     oldest,
		// For TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325 §4.2). Those of TLS 1.3 are all good.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		// Recorded traffic must stay closed to the quantum computers of later; the other two for clients without.
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256},
		// A client that names protocols must name ours, else the handshake fails with no_application_protocol (RFC 7301
		// §3.2): octets meant for another protocol never reach us (RFC 9325 §3.7). One that names none is welcome.
		NextProtos: []string{"pop3"},
		// A certificate is asked for only where one can be used to sign in (RFC 8314 §4.2).
		ClientAuth: tls.NoClientCert,
	}
}
