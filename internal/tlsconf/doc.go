// Package tlsconf holds the server's certificates and its TLS settings.
//
// [Open] loads the configured certificates, or makes a self-signed one on first start and keeps it. [Certificates.Config]
// is what a listener wants: TLS 1.2 (RFC 5246) with forward secrecy and TLS 1.3 (RFC 8446), as RFC 8314 §4 and RFC 9325
// ask, hybrid post-quantum key exchange, choice of certificate by server name (RFC 6066 §3), ALPN "pop3" (RFC 7301).
//
// Certificates can be exchanged under load: connections take the set that is current when their handshake starts, and a
// set that does not parse never replaces a good one.
package tlsconf
