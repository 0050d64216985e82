// Package oauthtest is an authorization server for tests, on a real port: codes with PKCE (RFC 6749, RFC 7636), codes for
// other devices (RFC 8628), client credentials, refresh tokens that are replaced at each use with detection of reuse,
// expiry, revocation (RFC 7009), introspection (RFC 7662) and metadata (RFC 8414). Access tokens are signed JWTs, or short
// opaque ones. What a server does wrong in practice can be had in turn: errors, statuses, garbage, silence.
//
// It checks what a client must do and refuses what it must not, as a strict provider does. People are played by the test:
// the page where they sign in says yes at once, and codes for other devices are approved by a call.
package oauthtest
